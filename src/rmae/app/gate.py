"""What stands before the app: routes that it does not need are closed, pages of others, and requests of any size."""

import asyncio
from collections.abc import Awaitable, Container, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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
_MOST_VALUES = 500_000  # of the JSON in a request: a picture is one, and each takes memory beyond its letters
_HEADERS = {
    # Everything comes from here: a page that a visitor is shown cannot send a picture elsewhere.
    b"content-security-policy": b"default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    b"style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",  # with less, some browsers do not say where a request comes from
}


class TooLarge(Exception):
    """More was sent than is allowed."""


class Gate:
    """An ASGI application before another one.

    Args:
        app: The other one.
        max_body: Most bytes of a request with a picture; others may have 64 kB.
        names: Names and addresses, in lower case, by which it may be asked; None = any. A page of somebody else could
            otherwise give its own name the address of this machine, and so reach what only people here should.
    """

    def __init__(self, app: "ASGIApp", *, max_body: int, names: Container[str] | None) -> None:
        self._app = app
        self._max_body = max_body
        self._names = names
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
        headers = dict(scope["headers"])
        if not self._is_asked_from_here(headers):
            await _refuse(send, scope, 403, "this app answers its own page alone; open the address that it printed")
            return
        limit = self._max_body if scope["path"] == _JOIN else _SMALL
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

    def _is_asked_from_here(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request names this app, and comes from its page if it says where it comes from."""
        host, origin = headers.get(b"host", b""), headers.get(b"origin")
        if self._names is not None and _place(b"//" + host)[0] not in self._names:
            return False
        return origin is None or _place(origin) == _place(b"//" + host)

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


def _place(address: bytes) -> tuple[str, str]:
    """Name, and name with port, of an address; both empty where it has none, as those of pages in a sandbox."""
    try:
        found = urlsplit(address.decode("latin-1"))
        return found.hostname or "", found.netloc.lower()
    except ValueError:
        return "", ""


def _declared_length(headers: Mapping[bytes, bytes]) -> int:
    declared = headers.get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0


def _limited(receive: "Receive", limit: int) -> "Receive":
    """What is received, up to a limit, for a body that does not say how long it is or how many values are in it."""
    received = values = 0

    async def receive_some() -> "Message":
        nonlocal received, values
        message = await receive()
        body = message.get("body", b"")
        received += len(body)
        values += sum(map(body.count, (b",", b"[", b"{")))
        if received > limit or values > _MOST_VALUES:
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
