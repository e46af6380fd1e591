"""Pages: the addresses of the studio, and what those about videos answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.studio import corrections, court, orders, views
from keras_tracknet.studio.answers import (
    FRESH,
    answer,
    answer_error,
    with_session,
    with_video,
)
from keras_tracknet.studio.jobs import BusyError
from keras_tracknet.studio.jpegs import AbandonedError
from keras_tracknet.studio.library import Video
from keras_tracknet.studio.play import read_play
from keras_tracknet.studio.session import Session
from keras_tracknet.tracks.doubts import find_doubtful_frames
from keras_tracknet.tracks.merging import merge_labels
from keras_tracknet.video.reader import probe_video

STATIC = Path(__file__).with_name("static")
THUMBNAIL_WIDTH = 320
WIDEST = 8192


def make_app(session: Session) -> Starlette:
    """Return the studio; `Guard` decides who may reach it."""
    one = "/api/videos/{id}"
    routes = [
        Route("/api/videos", with_session(session, list_videos)),
        Route("/api/videos/{name}", with_session(session, put_video), methods=["PUT"]),
        Route(f"{one}/thumbnail", with_video(session, show_thumbnail)),
        Route(f"{one}/frames/{{number:int}}", with_video(session, show_frame)),
        Route(f"{one}/heatmaps/{{number:int}}", with_video(session, show_heatmap)),
        Route(f"{one}/track", with_video(session, show_track)),
        *corrections.list_routes(session),
        *court.list_routes(partial(court.look, session)),
        *orders.list_routes(session),
        *views.list_routes(session),
    ]
    return make_page(routes)


def make_page(routes: Iterable[Route]) -> Starlette:
    """Return an application: the page, and what its requests are answered by."""
    static = Mount("/static", StaticFiles(directory=STATIC, check_dir=False))
    handlers: dict[Any, Any] = {
        InputError: lambda _request, error: answer_error(400, str(error)),
        HTTPException: lambda _request, error: answer_error(error.status_code, error.detail),
        BusyError: lambda _request, _error: answer_error(409, "a job is running; stop it first."),
    }
    return Starlette(routes=[Route("/", _show_page), static, *routes], exception_handlers=handlers)


def _show_page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers=FRESH)


def list_videos(session: Session, _request: Request) -> Response:
    """Answer with every video and its state."""
    return answer([describe_video(video) for video in session.library.videos()])


def describe_video(video: Video) -> dict[str, Any]:
    """Return what the library shows of a video."""
    entry: dict[str, Any] = {"id": video.id, "name": video.path.name}
    try:
        info, frames = video.info, video.count_frames()
    except InputError as error:
        return entry | {"state": "damaged", "error": str(error)}
    labelled, looked = len(video.labels.frames), video.labels.count_reviewed(frames)
    state = "tracked" if video.tracked else "new"
    if labelled:
        state = "corrected"
    if frames and looked >= frames:
        state = "reviewed"
    return entry | {
        "frames": frames,
        "fps": float(info.fps),
        "width": info.width,
        "height": info.height,
        "seconds": info.duration if info.duration else frames / float(info.fps),
        "state": state,
        "doubtful": _measure_doubt(video),
        "labelled": labelled,
        "reviewed": looked / frames if frames else 0.0,
    }


def _measure_doubt(video: Video) -> float | None:
    """Return the share of frames that are in doubt; None for a video that is not tracked."""
    track = video.read_track()
    if track is None or not len(track):
        return None
    moments = find_doubtful_frames(merge_labels(track, video.labels.as_track(len(track))))
    doubted = {frame for m in moments for frame in range(m.first, m.last + 1)}
    return len(doubted) / len(track)


async def put_video(session: Session, request: Request) -> Response:
    """Save a video that was dropped into the page."""
    path = session.library.check_name(request.path_params["name"])
    with replace_file(path) as partial:
        with open(partial, "wb") as file:
            async for chunk in request.stream():
                await run_in_threadpool(file.write, chunk)
        await run_in_threadpool(probe_video, partial)
    videos = {video.path: video for video in session.library.videos()}
    return answer(describe_video(videos[path]))


async def show_thumbnail(session: Session, video: Video, request: Request) -> Response:
    """Answer with a picture from a third of the video."""
    return await _show_jpeg(session, video, request, None, THUMBNAIL_WIDTH)


async def show_frame(session: Session, video: Video, request: Request) -> Response:
    """Answer with a frame by its number."""
    width = request.query_params.get("width")
    if width is not None and not (width.isdecimal() and 16 <= int(width) <= WIDEST):
        raise HTTPException(400, f"width must be 16 to {WIDEST}.")
    number = request.path_params["number"]
    return await _show_jpeg(session, video, request, number, None if width is None else int(width))


async def _show_jpeg(
    session: Session, video: Video, request: Request, number: int | None, width: int | None
) -> Response:
    """Answer with a frame, or that the browser's copy is still that of this file."""
    loop, began = asyncio.get_running_loop(), time.perf_counter()

    def is_wanted() -> bool:
        gone = asyncio.run_coroutine_threadsafe(request.is_disconnected(), loop)
        return not gone.result()

    def show() -> Response:
        server = session.library.serve(video)
        tag = f'"{server.tag}"'
        headers = {"cache-control": "private, no-cache", "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        frame = len(server.pictures) // 3 if number is None else number
        try:
            data = server.jpeg(frame, width, is_wanted)
        except IndexError:
            raise HTTPException(404, "the video has no such frame.") from None
        except AbandonedError:
            return Response(status_code=204)
        headers["server-timing"] = f"frame;dur={(time.perf_counter() - began) * 1000:.1f}"
        return Response(data, media_type="image/jpeg", headers=headers)

    return await run_in_threadpool(show)


def show_heatmap(session: Session, video: Video, request: Request) -> Response:
    """Answer with what the network sees in a frame."""
    weights, number = video.weights, request.path_params["number"]
    server = session.library.serve(video)
    try:
        data = session.heatmaps.make(server, video.path, number, weights)
    except IndexError:
        raise HTTPException(404, "the video has no such frame.") from None
    return Response(data, media_type="image/png", headers=FRESH)


def show_track(session: Session, video: Video, _request: Request) -> Response:
    """Answer with the network's own track."""
    track = video.read_track()
    if track is None:
        frames = len(session.library.serve(video).pictures)
        return answer({"frames": frames, "tracked": False})
    return answer(
        {
            "frames": len(track),
            "tracked": True,
            "x": _as_list(track.x),
            "y": _as_list(track.y),
            "confidence": _as_list(track.confidence),
            "status": track.status.tolist(),
            "time": _as_list(track.time),
            "threshold": video.summary.get("threshold"),
            **read_play(video.folder),
        }
    )


def _as_list(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
