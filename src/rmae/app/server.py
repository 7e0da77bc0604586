"""Serving the app: one process, one port, no file of any visitor on the disk."""

import asyncio
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING

from PIL import Image

from rmae.app.answers import NamedRegions
from rmae.app.gate import Gate
from rmae.app.opened_model import OpenedModel, open_model
from rmae.app.workbench import Limits, Workbench
from rmae.data.photographs import HELD_OUT, photographs_folder
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.regions.felzenszwalb import Felzenszwalb
from rmae.regions.grid import Grid
from rmae.regions.slic import Slic
from rmae.regions.source import RegionSource

if TYPE_CHECKING:
    from uvicorn import Server

_FIRST_PORT, _PORTS_TRIED, _LAST_PORT = 7860, 40, 65535
_MOST_AT_ONCE = 4
MOST_SESSIONS = 50
"""Visitors whose pictures are kept; those who were gone longest make room for others."""
_EXAMPLES = (*HELD_OUT, "astronaut.png", "coins.png")
_SLACK = 256 * 1024  # bytes of a request around its picture


class RunningApp:
    """An app that serves in a thread of this process; also a context that ends with it.

    Args:
        gate: What answers.
        listening: A socket that is bound already.
    """

    def __init__(self, gate: Gate, listening: socket.socket) -> None:
        import uvicorn

        host, port = listening.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        """Where it is."""
        self._server: Server = uvicorn.Server(uvicorn.Config(gate, log_level="warning", timeout_graceful_shutdown=1))
        self._gate = gate
        self._listening = listening
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)

    def wait(self) -> None:
        """Wait until it ends, or until a signal raises KeyboardInterrupt."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def __enter__(self) -> "RunningApp":
        """Serve from now on."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server and wait for it."""
        self._gate.end()
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


def serve(
    model: str | Path | MaskedAutoencoder,
    *,
    against: str | Path | MaskedAutoencoder | None = None,
    regions: RegionSource | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    max_megapixels: float = 40,
    max_upload_mb: float = 30,
    open_browser: bool = False,
) -> None:
    """Serve an app in which people click on pictures and see what a model makes of it; it returns when it is stopped.

    Pictures that visitors open are kept in memory alone, their files for an hour after the last click.

    Args:
        model: What `rmae.load` takes, or a model; with a region branch that sees pixels.
        against: Another one to see beside it.
        regions: A source whose region maps can be seen, computed from the pixels; Felzenszwalb-Huttenlocher, SLIC and
            a grid are always offered.
        host: Address to listen at; "0.0.0.0" = reachable from other machines.
        port: Port to listen at, 0 = any free one; None = 7860, or the next free one.
        max_megapixels: Larger pictures are refused before they are decoded, in millions of pixels, above 0.
        max_upload_mb: Larger files are refused, in millions of bytes, above 0.
        open_browser: Whether to open the page here.

    Raises:
        ValueError: A model cannot be used, gradio is missing, or the address cannot be listened at.

    Example:
        >>> rmae.serve("runs/mine")  # doctest: +SKIP
    """
    running = start_app(
        model,
        against=against,
        regions=regions,
        host=host,
        port=port,
        max_megapixels=max_megapixels,
        max_upload_mb=max_upload_mb,
    )
    with running:
        print(f"the app is at {running.url} (Ctrl+C ends it)", flush=True)
        if open_browser:
            import webbrowser

            webbrowser.open(running.url)
        try:
            running.wait()
        except KeyboardInterrupt:  # SIGINT; in a command SIGTERM, too
            print("the app has ended")


def start_app(
    model: str | Path | MaskedAutoencoder,
    *,
    against: str | Path | MaskedAutoencoder | None = None,
    regions: RegionSource | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    max_megapixels: float = 40,
    max_upload_mb: float = 30,
) -> RunningApp:
    """Make an app that listens but does not answer yet; arguments and errors are those of `serve`."""
    limits = _limits(max_megapixels, max_upload_mb)
    models = [open_model(source) for source in (model, against) if source is not None]
    _check_together(models)
    for number, each in enumerate(models[1:], start=2):
        if each.name == models[0].name:
            each.name = f"{each.name} ({number})"
    if find_spec("gradio") is None:
        raise ValueError("the app needs gradio, which is not installed; install it with: pip install 'rmae[app]'")
    examples = [photographs_folder() / name for name in _EXAMPLES]
    workbench = Workbench(models, sources=_sources(regions), examples=examples, limits=limits)
    listening = _listen(host, port)
    # In a thread of its own with an event loop: where none runs, gradio makes some and never closes them.
    with ThreadPoolExecutor(1) as thread:
        gate = thread.submit(asyncio.run, _build(workbench, _names(host, listening))).result()
    return RunningApp(gate, listening)


async def _build(workbench: Workbench, names: frozenset[str] | None) -> Gate:
    """The app as a server takes it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported, too
    # It would put what it remembers of events into a table after each, with pandas, to show it to nobody here.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    import gradio as gr
    from fastapi import FastAPI
    from gradio.themes import Default

    from rmae.app.layout import build_page, style_sheet

    page = build_page(workbench, at_once=min(_MOST_AT_ONCE, os.cpu_count() or 1))
    page.state_session_capacity = MOST_SESSIONS
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        outer,
        page,
        path="/",
        root_path="",
        allowed_paths=[],
        max_file_size=0,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=Default(),
        css=style_sheet(),
    )
    # In a request, bytes are letters of base 64: four for three.
    return Gate(outer, max_body=workbench.limits.max_upload * 4 // 3 + _SLACK, names=names)


def _limits(max_megapixels: float, max_upload_mb: float) -> Limits:
    if not max_upload_mb > 0:
        raise ValueError(f"max_upload_mb is {max_upload_mb:g}; it must be above 0")
    most = (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
    if not 0 < max_megapixels <= most:
        raise ValueError(f"max_megapixels is {max_megapixels:g}; it must be above 0 and at most {most}, Pillow's limit")
    return Limits(max_pixels=round(max_megapixels * 1e6), max_upload=round(max_upload_mb * 1e6))


def _check_together(models: Sequence[OpenedModel]) -> None:
    channels = [model.channels for model in models]
    if len(set(channels)) > 1:
        raise ValueError(
            f"{models[0].name} takes pictures of {channels[0]} channel(s) and {models[1].name} of {channels[1]}; "
            "compare models that take the same"
        )


def _sources(own: RegionSource | None) -> list[NamedRegions]:
    """The user's own source first, then those that are always offered."""
    offered: list[NamedRegions] = []
    for source in (own, Felzenszwalb(), Slic(), Grid()):
        if source is not None:
            name = getattr(source, "kind", "") or getattr(source, "__name__", "") or type(source).__name__
            if name not in [each.name for each in offered]:
                offered.append(NamedRegions(name, source))
    return offered


def _listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens."""
    if port is not None and not 0 <= port <= _LAST_PORT:
        raise ValueError(f"port is {port}; it must be 0 (any free one) to {_LAST_PORT}")
    ports = range(_FIRST_PORT, _FIRST_PORT + _PORTS_TRIED) if port is None else [port]
    reason = ""
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
        for each in ports:
            try:
                return socket.create_server((host, each), family=family)
            except OSError as error:
                reason = _in_words(error)
    except OSError as error:
        reason = _in_words(error)
    where = f"{host}, ports {ports[0]} to {ports[-1]}" if port is None else f"{host}, port {port}"
    raise ValueError(f"the app cannot listen at {where}: {reason}; choose another one (--host, --port)")


def _names(host: str, listening: socket.socket) -> frozenset[str] | None:
    """What an app may be called that is for this machine alone; None for others, whose names are not known here."""
    address = listening.getsockname()[0]
    if not ip_address(address).is_loopback:
        return None
    return frozenset({"localhost", "127.0.0.1", "::1", address, host.lower()})


def _in_words(error: OSError) -> str:
    return (error.strerror or str(error)).partition(" (")[0]
