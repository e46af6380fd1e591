"""Pages: the addresses of the studio and what they answer."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.studio.access import LARGEST_BODY
from keras_tracknet.studio.jobs import BusyError, JobQueue
from keras_tracknet.studio.labels import FrameLabel, find_author
from keras_tracknet.studio.library import Library, Video
from keras_tracknet.video.reader import probe_video

STATIC = Path(__file__).with_name("static")
FOREVER = {"cache-control": "private, max-age=86400, immutable"}
FRESH = {"cache-control": "no-store"}
THUMBNAIL_WIDTH = 320
WIDEST = 8192
POLL = 0.2  # seconds between two looks at a job
PING = 15.0  # seconds of silence after which a line keeps a connection open


@dataclass
class Studio:
    """What the pages show.

    Attributes:
        library: the videos.
        jobs: what works in the background.
        author: name that labels are signed with.
        is_closing: whether the server is about to end.
    """

    library: Library
    jobs: JobQueue = field(default_factory=JobQueue)
    author: str = field(default_factory=find_author)
    is_closing: Callable[[], bool] = lambda: False

    def close(self) -> None:
        """Stop the running job and close all videos."""
        self.jobs.close()
        self.library.close()


def make_app(studio: Studio) -> Starlette:
    """Return the application; `Guard` decides who may reach it."""
    one = "/api/videos/{id}"
    routes = [
        Route("/", _show_page),
        Route("/api/videos", _of(studio, list_videos)),
        Route("/api/videos/{name}", _of(studio, put_video), methods=["PUT"]),
        Route(f"{one}/thumbnail", _of_video(studio, show_thumbnail)),
        Route(f"{one}/frames/{{number:int}}", _of_video(studio, show_frame)),
        Route(f"{one}/track", _of_video(studio, show_track)),
        Route(f"{one}/labels", _of_video(studio, show_labels)),
        Route(f"{one}/labels", _of_video(studio, change_labels), methods=["PATCH"]),
        Route("/api/events", _of(studio, watch_jobs)),
        Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
    ]
    handlers: dict[Any, Any] = {
        InputError: lambda _request, error: answer_error(400, str(error)),
        HTTPException: lambda _request, error: answer_error(error.status_code, error.detail),
        BusyError: lambda _request, _error: answer_error(409, "a job is running; stop it first."),
    }
    return Starlette(routes=routes, exception_handlers=handlers)


def answer_error(status: int, message: str) -> JSONResponse:
    """Return an error as the page expects it: one line."""
    return JSONResponse({"error": " ".join(message.split())}, status, headers=FRESH)


def answer(content: Any) -> JSONResponse:
    """Return JSON that no cache keeps."""
    return JSONResponse(content, headers=FRESH)


def _of(studio: Studio, function: Callable[..., Any]) -> Callable[[Request], Any]:
    """Return an endpoint that hands the studio on."""
    if inspect.iscoroutinefunction(function):

        async def respond(request: Request) -> Any:
            return await function(studio, request)

        return respond
    return functools.partial(function, studio)


def _of_video(studio: Studio, function: Callable[..., Any]) -> Callable[[Request], Any]:
    """Return an endpoint that hands the studio and the video of the address on."""

    async def respond(request: Request) -> Any:
        try:
            video = await run_in_threadpool(studio.library.find, request.path_params["id"])
        except KeyError:
            raise HTTPException(404, "there is no such video.") from None
        if inspect.iscoroutinefunction(function):
            return await function(studio, video, request)
        return await run_in_threadpool(function, studio, video, request)

    return respond


async def read_json_body(request: Request) -> dict[str, Any]:
    """Return the dictionary that a request sends.

    Raises:
        HTTPException: it sends something else, or too much.
    """
    try:
        content = json.loads(await read_body(request))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HTTPException(400, "expected a JSON object.")
    return content


async def read_body(request: Request, limit: int = LARGEST_BODY) -> bytes:
    """Return what a request sends.

    Raises:
        HTTPException: it is more than the limit.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"too large; at most {limit >> 20} MB.")
    return bytes(body)


def _show_page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers=FRESH)


def list_videos(studio: Studio, _request: Request) -> Response:
    """Answer with every video and its state."""
    return answer([describe_video(video) for video in studio.library.videos()])


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
        "doubtful": None,
        "labelled": labelled,
        "reviewed": looked / frames if frames else 0.0,
    }


async def put_video(studio: Studio, request: Request) -> Response:
    """Save a video that was dropped into the page."""
    path = studio.library.check_name(request.path_params["name"])
    with replace_file(path) as partial:
        with open(partial, "wb") as file:
            async for chunk in request.stream():
                await run_in_threadpool(file.write, chunk)
        await run_in_threadpool(probe_video, partial)
    videos = {video.path: video for video in studio.library.videos()}
    return answer(describe_video(videos[path]))


def show_thumbnail(studio: Studio, video: Video, _request: Request) -> Response:
    """Answer with a picture from a third of the video."""
    server = studio.library.serve(video)
    data = server.jpeg(len(server.pictures) // 3, THUMBNAIL_WIDTH)
    return Response(data, media_type="image/jpeg", headers=FOREVER)


def show_frame(studio: Studio, video: Video, request: Request) -> Response:
    """Answer with a frame by its number."""
    began = time.perf_counter()
    width = request.query_params.get("width")
    if width is not None and not (width.isdecimal() and 16 <= int(width) <= WIDEST):
        raise HTTPException(400, f"width must be 16 to {WIDEST}.")
    try:
        data = studio.library.serve(video).jpeg(
            request.path_params["number"], None if width is None else int(width)
        )
    except IndexError:
        raise HTTPException(404, "the video has no such frame.") from None
    spent = f"frame;dur={(time.perf_counter() - began) * 1000:.1f}"
    headers = FOREVER | {"server-timing": spent}
    return Response(data, media_type="image/jpeg", headers=headers)


def show_track(studio: Studio, video: Video, _request: Request) -> Response:
    """Answer with the network's own track."""
    track = video.read_track()
    if track is None:
        frames = len(studio.library.serve(video).pictures)
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
            "cuts": [],
            "events": [],
            "rallies": [],
        }
    )


def _as_list(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]


def show_labels(_studio: Studio, video: Video, _request: Request) -> Response:
    """Answer with the labels."""
    return answer(video.labels.as_dict())


async def change_labels(studio: Studio, video: Video, request: Request) -> Response:
    """Change labels, and answer once they are on disk."""
    body = await read_json_body(request)
    given, removed = body.get("set", {}), body.get("remove", [])
    try:
        put = {int(k): FrameLabel.parse(label, studio.author) for k, label in given.items()}
        remove = [int(frame) for frame in removed]
    except (AttributeError, TypeError, ValueError) as error:
        raise HTTPException(400, f"set and remove must name frames: {error}") from None
    await run_in_threadpool(video.labels.change, put, remove, body.get("reviewed"))
    return answer(await run_in_threadpool(video.labels.as_dict))


async def watch_jobs(studio: Studio, request: Request) -> Response:
    """Tell of the running job whenever something changes, from its present state on."""

    async def tell() -> AsyncIterator[str]:
        seen, last = -1, time.monotonic()
        while not studio.is_closing() and not await request.is_disconnected():
            if studio.jobs.version != seen:
                seen, last = studio.jobs.version, time.monotonic()
                yield f"event: job\ndata: {json.dumps(studio.jobs.state)}\n\n"
            elif time.monotonic() - last > PING:
                last = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(POLL)

    return StreamingResponse(tell(), media_type="text/event-stream", headers=FRESH)
