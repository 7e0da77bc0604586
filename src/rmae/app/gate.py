"""What stands before the app: routes that it does not need are closed, and nobody can send more than is allowed."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Of gradio's own routes those that the page uses: not the ones that read, write or fetch files.
_JOIN = "/gradio_api/queue/join"
_PAGES = (
    "/",
    "/theme.css",
    "/favicon.ico",
    "/manifest.json",
    "/robots.txt",
    "/gradio_api/app_id",
    "/gradio_api/queue/data",
)
_STREAMS = ("/gradio_api/queue/data", "/gradio_api/heartbeat/")
_FOLDERS = ("/assets/", "/static/", "/gradio_api/heartbeat/")
_SMALL = 64 * 1024
_HEADERS = {
    # Everything comes from here: a page that a visitor is shown cannot send a picture elsewhere.
    b"content-security-policy": b"default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    b"style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}


class TooLarge(Exception):
    """More was sent than is allowed."""


class Gate:
    """An ASGI application before another one.

    Args:
        app: The other one.
        max_body: Most bytes of a request with a picture; others may have 64 kB.
    """

    def __init__(self, app: "ASGIApp", *, max_body: int) -> None:
        self._app = app
        self._max_body = max_body
        self._ending = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            self._loop = asyncio.get_running_loop()
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http" or not _is_open(scope["path"]):
            await _refuse(send, scope, 404, "there is nothing here")
            return
        limit = self._max_body if scope["path"] == _JOIN else _SMALL
        headers = dict(scope["headers"])
        if _declared_length(headers) > limit:
            await _refuse(send, scope, 413, "that is more than is allowed")
            return
        response = _Response(send)
        call = self._app(scope, _limited(receive, limit), response.send)
        try:
            await (self._until_end(call, response) if scope["path"].startswith(_STREAMS) else call)
        except TooLarge:
            if not response.started:
                await _refuse(send, scope, 413, "that is more than is allowed")

    def end(self) -> None:
        """End what never ends by itself, so that the server can; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)

    async def _until_end(self, call: Awaitable[None], response: "_Response") -> None:
        work, ending = asyncio.ensure_future(call), asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait((work, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            ending.cancel()
            outcome, _ = await asyncio.gather(work, ending, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome
        await response.finish()


class _Response:
    """What is sent on, with the headers of every response."""

    def __init__(self, send: "Send") -> None:
        self._send = send
        self.started = self.finished = False

    async def send(self, message: "Message") -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": [*message["headers"], *_HEADERS.items()]}
        elif message["type"] == "http.response.body":
            self.finished = not message.get("more_body", False)
        await self._send(message)

    async def finish(self) -> None:
        if self.started and not self.finished:
            await self._send({"type": "http.response.body", "body": b""})


def _is_open(path: str) -> bool:
    return path == _JOIN or path in _PAGES or path.startswith(_FOLDERS)


def _declared_length(headers: Mapping[bytes, bytes]) -> int:
    declared = headers.get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0


def _limited(receive: "Receive", limit: int) -> "Receive":
    """What is received, up to a limit, for a body that does not say how long it is."""
    received = 0

    async def receive_some() -> "Message":
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise TooLarge
        return message

    return receive_some


async def _refuse(send: "Send", scope: "Scope", status: int, sentence: str) -> None:
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
