"""Answers: how the pages read requests and answer them."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from keras_tracknet.studio.access import LARGEST_BODY
from keras_tracknet.studio.library import Video
from keras_tracknet.studio.session import Session

FRESH = {"cache-control": "no-store"}


def answer(content: Any) -> JSONResponse:
    """Return JSON that no cache keeps."""
    return JSONResponse(content, headers=FRESH)


def answer_error(status: int, message: str) -> JSONResponse:
    """Return an error as the page expects it: one line."""
    return JSONResponse({"error": " ".join(message.split())}, status, headers=FRESH)


def with_session(session: Session, function: Callable[..., Any]) -> Callable[[Request], Any]:
    """Return an endpoint that hands the session on."""
    if inspect.iscoroutinefunction(function):

        async def respond(request: Request) -> Any:
            return await function(session, request)

        return respond
    return functools.partial(function, session)


def with_video(session: Session, function: Callable[..., Any]) -> Callable[[Request], Any]:
    """Return an endpoint that hands the session and the video of the address on."""

    async def respond(request: Request) -> Any:
        video = await run_in_threadpool(find_video, session, request)
        if inspect.iscoroutinefunction(function):
            return await function(session, video, request)
        return await run_in_threadpool(function, session, video, request)

    return respond


def find_video(session: Session, request: Request) -> Video:
    """Return the video of an address.

    Raises:
        HTTPException: there is none.
    """
    try:
        return session.library.find(request.path_params["id"])
    except KeyError:
        raise HTTPException(404, "there is no such video.") from None


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
        HTTPException: it is more than the limit, bytes.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"too large; at most {limit >> 20} MB.")
    return bytes(body)
