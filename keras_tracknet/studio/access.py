"""Access: who may talk to the studio. Nobody else's page, and nobody without the token."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, RedirectResponse, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = ("GET", "HEAD")
LARGEST_BODY = 8 << 20  # bytes of anything but an uploaded video
LARGEST_VIDEO = 64 << 30
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Lets requests through to an application that may reach it.

    Other pages that are open in the browser can reach a server on this machine too. So a request
    must name this server as its host, come from its own page, and hold the token, in a cookie or
    in the address.

    Args:
        app: the application.
        token: what a request must hold.
        port: of the server.
        host: that the server listens on; where it is not this machine alone, addresses in
            numbers are its hosts too, which no other page can pass off as its own.
    """

    def __init__(self, app: Any, *, token: str, port: int, host: str = "127.0.0.1") -> None:
        self.app, self.token, self.port = app, token, port
        self.host, self.open = host, host not in LOCAL
        self.cookie = f"tracknet-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refuse(scope)
        if refusal is not None:
            await refusal(scope, receive, _add_headers(send))
        else:
            await self.app(scope, receive, _add_headers(send))

    def _refuse(self, scope: Scope) -> Response | None:
        """Return the answer to a request that does not go through; None for one that does."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        host = headers.get("host", "")
        if not self._is_own(host):
            return _error(403, "this server has another name; open the address in the terminal.")
        origin = headers.get("origin")
        safe = scope["method"] in SAFE_METHODS
        if (origin is not None or not safe) and origin != f"http://{host}":
            return _error(403, "requests are accepted from the studio's own page only.")
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and self._is_token(given):
            if scope["path"] == "/" and safe:
                return self._welcome()
        else:
            cookie: SimpleCookie = SimpleCookie()
            cookie.load(headers.get("cookie", ""))
            if self.cookie not in cookie or not self._is_token(cookie[self.cookie].value):
                return _error(403, "no token; open the address that the terminal shows.")
        length = headers.get("content-length")
        limit = LARGEST_VIDEO if scope["method"] == "PUT" else LARGEST_BODY
        if length is not None and not (length.isdecimal() and int(length) <= limit):
            return _error(413, f"too large; at most {limit >> 20} MB.")
        return None

    def _is_own(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        if not name or port != str(self.port):
            return False
        if name in LOCAL or name == self.host:
            return True
        return self.open and _is_address(name)

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())

    def _welcome(self) -> Response:
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return response


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)


def _add_headers(send: Send) -> Send:
    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in there]
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return send_with_headers
