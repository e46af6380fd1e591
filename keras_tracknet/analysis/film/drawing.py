"""Drawings of the play on the frames of its video: events, shots in words, a small court."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import cv2
import numpy as np

from keras_tracknet.analysis.analysis import Analysis
from keras_tracknet.analysis.report.charts import PLAYER_COLOURS
from keras_tracknet.analysis.report.floor import GROUND, Floor
from keras_tracknet.analysis.shots import Shot, describe_call, list_shots, name_court
from keras_tracknet.tracks.event_table import HIT, Event
from keras_tracknet.tracks.overlay import draw_overlay

TRAIL = 12  # frames
EVENT_SECONDS = 0.5  # that an event stays in the picture
SHADE = 0.45  # brightness left under text and the small court
COURT_SHARE = 0.36  # of the picture's height
WHITE, BLACK = (255, 255, 255), (16, 16, 16)
FONT = cv2.FONT_HERSHEY_DUPLEX
LINE = cv2.LINE_AA


class PlayDrawing:
    """Draws the track and what was found in it.

    Args:
        analysis: of the video.
    """

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.unit = analysis.size[0] / 720  # pixels of the picture in one at a height of 720
        listed = list_shots(analysis).values()
        self.shots = sorted((s for own in listed for s in own), key=lambda shot: shot.time)
        self._starts = [shot.time for shot in self.shots]
        self._contacts = {contact.event: contact for contact in analysis.contacts}
        self._floor, self._court = self._prepare_court()

    def draw(self, picture: np.ndarray, frame: int, titles: Sequence[str] = ()) -> None:
        """Draw on one frame.

        Args:
            picture: `(height, width, 3)` uint8 RGB, which is changed.
            frame: its index in the track.
            titles: lines in the middle at the top.
        """
        draw_overlay(picture, self.analysis.track, frame, trail=TRAIL, out=picture)
        if frame < len(self.analysis.velocity.time):
            time = float(self.analysis.velocity.time[frame])
            shot = self.find_shot(time)
            self._draw_events(picture, time)
            self._draw_court(picture, time, shot)
            if shot is not None:
                lines = [f"Rally {shot.stroke.event.rally}, shot {shot.number}", *describe(shot)]
                self._write(picture, lines, right=True)
        if titles:
            self._write(picture, titles, right=False)

    def find_shot(self, time: float) -> Shot | None:
        """Return the shot that is under way at a moment, or was a moment ago."""
        index = bisect.bisect_right(self._starts, time) - 1
        if index < 0 or time > self.shots[index].until + EVENT_SECONDS:
            return None
        return self.shots[index]

    def _draw_events(self, picture: np.ndarray, time: float) -> None:
        for event in self.analysis.found.events:
            age = (time - event.time) / EVENT_SECONDS
            if event.rally and 0 <= age < 1 and np.isfinite([event.x, event.y]).all():
                spot = (round(event.x), round(event.y))
                radius = round((12 + 22 * age) * self.unit)
                width = max(1, round(2 * self.unit))
                if event.kind == HIT:
                    cv2.circle(picture, spot, radius, WHITE, width, LINE)
                else:  # a ring on the floor
                    axes = (radius, max(radius // 2, 1))
                    cv2.ellipse(picture, spot, axes, 0, 0, 360, WHITE, width, LINE)
                    self._label(picture, self._name(event), (spot[0] + radius, spot[1] - radius))

    def _name(self, event: Event) -> str:
        contact = self._contacts.get(event)
        call = describe_call(contact, name_court(self.analysis)) if contact is not None else ""
        return call or event.kind

    def _label(self, picture: np.ndarray, text: str, place: tuple[int, int]) -> None:
        size, width = 0.55 * self.unit, max(1, round(self.unit))
        cv2.putText(picture, text, place, FONT, size, BLACK, width + 2, LINE)
        cv2.putText(picture, text, place, FONT, size, WHITE, width, LINE)

    def _write(self, picture: np.ndarray, lines: Sequence[str], *, right: bool) -> None:
        """Write lines on a dark ground, at the top right or in the middle at the top."""
        size, width = 0.7 * self.unit, max(1, round(self.unit))
        pad, step = round(12 * self.unit), round(30 * self.unit)
        wide = max(cv2.getTextSize(line, FONT, size, width)[0][0] for line in lines)
        space = picture.shape[1] - wide - 2 * pad
        left = max(space - pad if right else space // 2, 0)
        _shade(picture, left, pad, wide + 2 * pad, step * len(lines) + pad)
        for number, line in enumerate(lines, 1):
            place = (left + pad, pad + number * step)
            cv2.putText(picture, line, place, FONT, size, WHITE, width, LINE)

    def _prepare_court(self) -> tuple[Floor | None, np.ndarray]:
        """Return the small court and its picture; None without a court."""
        if self.analysis.court is None:
            return None, np.zeros((0, 0, 3), np.uint8)
        floor = Floor(self.analysis.court, np.zeros((0, 2)))
        scale = COURT_SHARE * self.analysis.size[0] / floor.size[0]
        height, width = (round(side * scale) for side in floor.size)
        court = np.full((height, width, 3), GROUND, np.uint8)
        for stroke in floor.strokes:
            start, end = (_round(pixel * scale) for pixel in floor.see(stroke))
            cv2.line(court, start, end, WHITE, max(1, round(self.unit)), LINE)
        return floor, court

    def _draw_court(self, picture: np.ndarray, time: float, shot: Shot | None) -> None:
        """Draw the small court with the shot that is under way, at the bottom right."""
        floor = self._floor
        if floor is None:
            return
        court, scale = self._court.copy(), self._court.shape[0] / floor.size[0]
        width = max(2, round(2 * self.unit))

        def see(place: np.ndarray) -> tuple[int, int]:
            return _round(floor.see(place) * scale)

        rally = None if shot is None else shot.stroke.event.rally
        for earlier in self.shots:
            contact = earlier.contact
            if contact is None or contact.event.rally != rally or contact.event.time > time:
                continue
            cv2.circle(court, see(contact.place), 2 * width, _colour(earlier), -1, LINE)
            cv2.circle(court, see(contact.place), 2 * width, WHITE, 1, LINE)
        if shot is not None and shot.stroke.flight is not None:
            times = np.linspace(shot.time, max(min(time, shot.until), shot.time), 12)
            way = [see(place) for place in shot.stroke.flight.locate(times)[:, :2]]
            cv2.polylines(court, [np.array(way, np.int32)], False, _colour(shot), width, LINE)
            cv2.circle(court, way[-1], 2 * width, WHITE, -1, LINE)
        pad = round(12 * self.unit)
        part = picture[-pad - court.shape[0] : -pad, -pad - court.shape[1] : -pad]
        if part.shape == court.shape:
            cv2.addWeighted(court, 0.85, part, 0.15, 0, dst=part)


def describe(shot: Shot) -> list[str]:
    """Say what a shot is, in lines of ASCII, which OpenCV can write."""
    stroke = shot.stroke
    who = f"{stroke.player} player" if stroke.player else ""
    words = ", ".join(filter(None, (stroke.kind, who)))
    lines = [words] if words else []
    if stroke.flight is not None:
        flight = stroke.flight
        lines.append(f"{flight.speed_kmh:.0f} km/h (+/- {flight.speed_error:.0f})")
    return lines


def _shade(picture: np.ndarray, left: int, top: int, width: int, height: int) -> None:
    part = picture[top : top + height, left : left + width]
    part[:] = (part * SHADE).astype(np.uint8)


def _colour(shot: Shot) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(PLAYER_COLOURS[shot.stroke.player][1:])
    return red, green, blue


def _round(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(point).astype(int).tolist()
    return x, y
