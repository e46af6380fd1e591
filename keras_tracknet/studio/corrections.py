"""Corrections: the pages that show doubtful frames, take labels and hand them out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from keras_tracknet.errors import InputError
from keras_tracknet.sports import find_sport
from keras_tracknet.studio.answers import FRESH, answer, read_body, read_json_body, with_video
from keras_tracknet.studio.exchange import FORMATS, export_video, import_labels, merge_video
from keras_tracknet.studio.filling import fill_stretch
from keras_tracknet.studio.labels import FILLED, FrameLabel
from keras_tracknet.studio.library import Video
from keras_tracknet.studio.play import find_weights_sport
from keras_tracknet.studio.session import Session
from keras_tracknet.tracks.doubts import find_doubtful_frames


def list_routes(session: Session) -> list[Route]:
    """Return the addresses of these pages."""
    one = "/api/videos/{id}"
    return [
        Route(f"{one}/labels", with_video(session, show_labels)),
        Route(f"{one}/labels", with_video(session, change_labels), methods=["PATCH"]),
        Route(f"{one}/fill", with_video(session, fill), methods=["POST"]),
        Route(f"{one}/doubtful", with_video(session, list_doubtful)),
        Route(f"{one}/export", with_video(session, export)),
        Route(f"{one}/import", with_video(session, take_labels), methods=["POST"]),
        Route("/api/formats", list_formats),
    ]


def show_labels(_session: Session, video: Video, _request: Request) -> Response:
    """Answer with the labels."""
    return answer(video.labels.as_dict())


async def change_labels(session: Session, video: Video, request: Request) -> Response:
    """Change labels, and answer once they are on disk."""
    body = await read_json_body(request)
    given, removed = body.get("set", {}), body.get("remove", [])
    try:
        put = {int(k): FrameLabel.parse(label, session.author) for k, label in given.items()}
        remove = [int(frame) for frame in removed]
    except InputError:
        raise
    except (AttributeError, TypeError, ValueError) as error:
        raise HTTPException(400, f"set and remove must name frames ({error}).") from None
    await run_in_threadpool(video.labels.change, put, remove, body.get("reviewed"))
    return answer(await run_in_threadpool(video.labels.as_dict))


async def fill(session: Session, video: Video, request: Request) -> Response:
    """Answer with places between two clicked frames; nothing is saved."""
    body = await read_json_body(request)
    first, last = body.get("first"), body.get("last")
    if not isinstance(first, int) or not isinstance(last, int):
        raise HTTPException(400, "first and last must be frames.")

    def find() -> Response:
        known = {
            frame: (label.x, label.y)
            for frame, label in video.labels.frames.items()
            if label.x is not None and label.y is not None
            if label.status != FILLED or not first < frame < last
        }
        info = video.info
        with video.open() as pictures:
            times = pictures.times()
        sport = find_sport(find_weights_sport(video.weights))
        size = (info.height, info.width)
        places, law = fill_stretch(known, times, first, last, size, sport)
        frames = {str(frame): {"x": x, "y": y} for frame, (x, y) in places.items()}
        return answer({"frames": frames, "law": law})

    return await run_in_threadpool(find)


def list_doubtful(_session: Session, video: Video, _request: Request) -> Response:
    """Answer with the doubtful moments of the track, most useful first."""
    if video.read_track() is None:
        return answer([])
    known = video.summary.get("least_confidence")
    least = known if isinstance(known, float) else 0.5
    track, other = merge_video(video), video.read_other_track()
    moments = find_doubtful_frames(track, threshold=least, other=other)
    return answer([moment._asdict() for moment in moments])


def list_formats(_request: Request) -> Response:
    """Answer with the formats of an export."""
    return answer([{"name": name, "summary": text} for name, text in FORMATS.items()])


def export(_session: Session, video: Video, request: Request) -> Response:
    """Hand out a video's track or labels as a file."""
    folder = TemporaryDirectory()
    try:
        path = export_video(video, request.query_params.get("format", ""), Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    done = BackgroundTask(folder.cleanup)
    return FileResponse(path, filename=path.name, headers=FRESH, background=done)


async def take_labels(session: Session, video: Video, request: Request) -> Response:
    """Take labels that were made elsewhere; frames that are labelled here keep their labels."""
    body = await read_body(request)

    def take() -> None:
        given = import_labels(video, body, session.author)
        own = video.labels.frames
        video.labels.change({k: label for k, label in given.items() if k not in own})

    await run_in_threadpool(take)
    return answer(await run_in_threadpool(video.labels.as_dict))
