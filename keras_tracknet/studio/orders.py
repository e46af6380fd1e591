"""Orders: the pages that start and stop jobs, watch them, and keep or discard taught weights."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from keras_tracknet.errors import InputError
from keras_tracknet.files import read_json
from keras_tracknet.presets import (
    DEFAULT,
    find_weights,
    keep_weights,
    list_own_presets,
    list_presets,
)
from keras_tracknet.studio.answers import FRESH, answer, read_json_body, with_session
from keras_tracknet.studio.cards import MODEL, RESULT, describe_lesson, write_card
from keras_tracknet.studio.session import Session

MODES = ("fast", "balanced", "accurate")
MINUTES, LONGEST = 5.0, 24 * 60.0
POLL = 0.2  # seconds between two looks at a job
PING = 15.0  # seconds of silence after which a line keeps a connection open


def list_routes(session: Session) -> list[Route]:
    """Return the addresses of these pages."""
    return [
        Route("/api/jobs", with_session(session, start_job), methods=["POST"]),
        Route("/api/jobs/current", with_session(session, stop_job), methods=["DELETE"]),
        Route("/api/jobs/{job}/weights", with_session(session, discard), methods=["DELETE"]),
        Route("/api/events", with_session(session, watch_jobs)),
        Route("/api/weights", with_session(session, list_weights)),
        Route("/api/weights", with_session(session, keep), methods=["POST"]),
    ]


async def start_job(session: Session, request: Request) -> Response:
    """Start tracking or teaching."""
    body = await read_json_body(request)
    return answer(await run_in_threadpool(_start, session, body))


def _start(session: Session, body: dict[str, Any]) -> dict[str, Any]:
    kind, weights = body.get("kind"), body.get("weights") or DEFAULT
    if not isinstance(weights, str) or weights not in _list_names():
        raise InputError(f"{weights}: no such weights; choose one of {', '.join(_list_names())}.")
    ids = body.get("videos")
    try:
        videos = session.library.videos() if ids is None else [*map(session.library.find, ids)]
    except (KeyError, TypeError):
        raise HTTPException(404, "there is no such video.") from None
    if kind == "track":
        order: dict[str, Any] = {"weights": weights}
        order |= {"mode": _read_mode(body), "threshold": _read_share(body)}
    elif kind == "teach":
        videos = [video for video in videos if video.labels.frames]
        order = {"weights": weights, "minutes": _read_minutes(body)}
    else:
        raise HTTPException(400, "kind must be track or teach.")
    if not videos:
        raise InputError("no video to work on; correct some frames first, or add videos.")
    order["videos"] = [
        {
            "id": video.id,
            "path": str(video.path),
            "folder": str(video.folder),
            "labels": str(video.labels.path),
        }
        for video in videos
    ]
    return session.jobs.start(kind, order, session.taught_folder).state


def _read_mode(body: dict[str, Any]) -> str:
    mode = body.get("mode") or MODES[0]
    if mode not in MODES:
        raise HTTPException(400, f"mode must be one of {', '.join(MODES)}.")
    return str(mode)


def _read_share(body: dict[str, Any]) -> float | None:
    threshold = body.get("threshold")
    if threshold is None:
        return None
    if not isinstance(threshold, int | float) or not 0 < threshold < 1:
        raise HTTPException(400, "threshold must be above 0 and below 1.")
    return float(threshold)


def _read_minutes(body: dict[str, Any]) -> float:
    minutes = body.get("minutes") or MINUTES
    if not isinstance(minutes, int | float) or not 0 < minutes <= LONGEST:
        raise HTTPException(400, f"minutes must be above 0 and at most {LONGEST:g}.")
    return float(minutes)


def stop_job(session: Session, _request: Request) -> Response:
    """Stop the running job."""
    if session.jobs.current is not None:
        session.jobs.current.stop()
    return answer(session.jobs.state)


async def watch_jobs(session: Session, request: Request) -> Response:
    """Tell of the running job whenever something changes, from its present state on."""

    async def tell() -> AsyncIterator[str]:
        seen, last = -1, time.monotonic()
        while not session.is_closing() and not await request.is_disconnected():
            if session.jobs.version != seen:
                seen, last = session.jobs.version, time.monotonic()
                yield f"event: job\ndata: {json.dumps(session.jobs.state)}\n\n"
            elif time.monotonic() - last > PING:
                last = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(POLL)

    return StreamingResponse(tell(), media_type="text/event-stream", headers=FRESH)


def list_weights(_session: Session, _request: Request) -> Response:
    """Answer with the weights that there are, and the modes of tracking."""
    found = [*list_presets().values(), *list_own_presets().values()]
    weights = [
        {
            "name": preset.name,
            "summary": preset.summary,
            "sport": preset.sport,
            "own": preset.folder is not None,
        }
        for preset in sorted(found, key=lambda p: (p.folder is None, p.name != DEFAULT, p.name))
    ]
    return answer(
        {
            "weights": weights,
            "modes": MODES,
            "default": DEFAULT,
            "mode": MODES[0],
            "threshold": None,
        }
    )


async def keep(session: Session, request: Request) -> Response:
    """Keep taught weights under a name that works on this machine."""
    body = await read_json_body(request)
    job, name = body.get("job"), body.get("name")
    if not isinstance(job, str) or not isinstance(name, str):
        raise HTTPException(400, "job and name must be given.")
    await run_in_threadpool(_keep, session, job, name)
    return list_weights(session, request)


def _keep(session: Session, job: str, name: str) -> None:
    folder = session.taught_folder(session.jobs.find(job).id)
    if not (folder / RESULT).is_file() or not (folder / MODEL).is_file():
        raise InputError("these weights are not there; they were discarded, or never finished.")
    result = read_json(folder / RESULT)
    base = result["weights"]
    sport = {**list_presets(), **list_own_presets()}[base].sport
    keep_weights(
        name,
        folder / MODEL,
        write_card(name, result, sport),
        rectifier=find_weights(base).rectifier,
        linker=find_weights(base).linker,
        **describe_lesson(result, sport),
    )
    shutil.rmtree(folder, ignore_errors=True)


def discard(session: Session, request: Request) -> Response:
    """Discard taught weights."""
    job = session.jobs.find(request.path_params["job"])
    shutil.rmtree(session.taught_folder(job.id), ignore_errors=True)
    return answer({})


def _list_names() -> list[str]:
    return [*list_presets(), *list_own_presets()]
