"""What is made of tracks of real rallies, beside what is made of their labels.

    python tests/benchmarks/play.py --data DIR --clips 00004,00027 --tracks FOLDER

DIR holds labelled clips. FOLDER holds tracks, `<clip>.csv`; what is missing is tracked with
`--weights` and kept there. Prints for each clip the number of rallies and hits and the top speed in
pixels per second, from its labels and from its track, and what fails: more than one rally or hit
apart, or a top speed that differs by more than 20 %. Then the outcomes of frames (see
`keras_tracknet.metrics`).
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import keras_tracknet as kt
from keras_tracknet.analysis.analysis import analyze_track
from keras_tracknet.datasets.dataset import find_labelled_clips, pick_clips, read_labels
from keras_tracknet.evaluation.trackers import judge_clip
from keras_tracknet.metrics import TOLERANCE, Counts
from keras_tracknet.sports import SPORTS, find_sport
from keras_tracknet.tracks.event_table import HIT
from keras_tracknet.tracks.files import read_track, write_track
from keras_tracknet.video.reader import probe_video

MODEL_SIZE = (288, 512)
MOST_APART, TOP_SHARE = 1, 0.2


def count_play(track, size, sport):
    """Return rallies, hits in them and the top speed of a track."""
    found = analyze_track(track, size, sport)
    hits = sum(event.kind == HIT and event.rally > 0 for event in found.found.events)
    peaks = [stroke.peak for stroke in found.strokes if np.isfinite(stroke.peak)]
    return len(found.rallies), hits, max(peaks, default=np.nan)


def judge(truth, found):
    """Say what differs by more than it may."""
    names = ("rallies", "hits")
    wrong = [n for n, a, b in zip(names, truth, found, strict=False) if abs(a - b) > MOST_APART]
    if not abs(found[2] - truth[2]) <= TOP_SHARE * truth[2]:
        wrong.append("top speed")
    return ", ".join(wrong) or "ok"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", default="")
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--sport", choices=SPORTS, default="badminton")
    parser.add_argument("--weights", default="badminton-v3")
    options = parser.parse_args()
    sport, tracker, total = find_sport(options.sport), None, Counts()
    clips = find_labelled_clips(options.data).clips
    if options.clips:
        clips = pick_clips(clips, options.clips.split(","))
    print(f"{'clip':<16}{'labels: rallies, hits, top':>30}{'track: rallies, hits, top':>30}")
    for clip in clips:
        info, file = probe_video(clip.source), options.tracks / f"{clip.name}.csv"
        size = (info.height, info.width)
        if not file.is_file():
            tracker = tracker or kt.Tracker(options.weights)
            options.tracks.mkdir(parents=True, exist_ok=True)
            write_track(tracker.track(clip.source), file)
        track = read_track(file)
        labels = replace(read_labels(clip, size=size, frames=len(track)), time=track.time)
        counts, _ = judge_clip(clip, track, MODEL_SIZE, TOLERANCE, "model")
        total += counts
        truth, found = (count_play(t, size, sport) for t in (labels, track))
        shown = ["{:>14}{:>6}{:>10,.0f}".format(*row) for row in (truth, found)]
        print(f"{clip.name:<16}{shown[0]}{shown[1]}  {judge(truth, found)}", flush=True)
        print(f"{'':<16}FP1 {counts.fp1}, FP2 {counts.fp2}, accuracy {counts.accuracy:.4f}")
    print(
        f"all: FP1 {total.fp1}, FP2 {total.fp2}, accuracy {total.accuracy:.4f}, F1 {total.f1:.4f}"
    )
