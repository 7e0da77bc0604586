"""The page: one component of our own, a visitor's state, and the event between them."""

from collections.abc import Sequence
from importlib.resources import files
from itertools import count
from typing import Any

import gradio as gr

from rmae.app.actions import MOST_POINTS
from rmae.app.replies import as_text, describe
from rmae.app.session import MOST_OBJECTS, Session
from rmae.app.workbench import Workbench
from rmae.data.images import open_image
from rmae.visual.mask_pictures import NEGATIVE_COLOUR, POSITIVE_COLOUR, mask_colour
from rmae.visual.pictures import css_colour, jpeg_data_uri, show_stored

_SCRIPTS = ("mailbox.js", "marks.js", "pane.js", "pointer.js", "panel.js", "start.js")
_KEPT_FOR = 3600  # seconds without an action, after which a visitor's state is dropped
_MOST_WAITING = 64  # requests
_THUMBNAIL = 144  # pixels of the longer side
_BROKEN = "something went wrong, and it was not your doing; what you had is still there (the terminal says more)"


def build_page(workbench: Workbench, *, at_once: int) -> gr.Blocks:
    """Build the page.

    Args:
        workbench: What answers.
        at_once: Requests that are worked on at the same time, at least 1; others wait.
    """

    def act(session: Session, event: gr.EventData) -> tuple[Session, str]:
        return workbench.answer(session, event._data)

    # Each with a number of its own: of a reply that is the same as the last one the page is not told.
    broken_numbers = count(-1, -1)

    def broken(session: Session) -> str:
        return workbench.refuse(session, {"number": next(broken_numbers)}, _BROKEN)

    with gr.Blocks(title=f"{workbench.models[0].name} - rmae app", analytics_enabled=False, fill_width=True) as page:
        state = gr.State(Session(), time_to_live=_KEPT_FOR)
        desk = gr.HTML(
            value=_first_reply(workbench),
            html_template=_read("page.html"),
            js_on_load="\n".join(map(_read, _SCRIPTS)),
            apply_default_css=False,
            elem_id="rmae",
        )
        done = desk.act(
            act,
            [state],
            [state, desk],
            show_progress="hidden",
            trigger_mode="multiple",
            api_visibility="private",
            concurrency_limit=at_once,
        )
        done.failure(broken, [state], [desk], show_progress="hidden", api_visibility="private")
    page.queue(max_size=_MOST_WAITING)
    return page


def style_sheet() -> str:
    """How the page looks."""
    return _read("page.css")


def _first_reply(workbench: Workbench) -> str:
    """What the page is told before anything has been done, with what holds for all visitors."""
    found: dict[str, Any] = describe(Session(), workbench.models, workbench.sources, has_picture=0)
    limits = workbench.limits
    found |= {
        "number": 0,
        "message": None,
        "file": None,
        "app": {
            "models": [model.name for model in workbench.models],
            "max_upload": limits.max_upload,
            "max_pixels": limits.max_pixels,
            "max_points": MOST_POINTS,
            "examples": _examples(workbench),
            "colours": [css_colour(mask_colour(number)) for number in range(MOST_OBJECTS)],
            "positive": css_colour(POSITIVE_COLOUR),
            "negative": css_colour(NEGATIVE_COLOUR),
        },
    }
    return as_text(found)


def _examples(workbench: Workbench) -> Sequence[dict[str, str]]:
    channels = workbench.models[0].channels
    shown = []
    for path in workbench.examples:
        with path.open("rb") as file:
            image = open_image(file, channels=channels, max_pixels=workbench.limits.max_pixels).pixels()
        scale = _THUMBNAIL / max(image.shape[:2])
        size_hw = (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale)))
        shown.append({"name": path.stem.replace("_", " "), "uri": jpeg_data_uri(show_stored(image, size_hw))})
    return shown


def _read(name: str) -> str:
    return (files("rmae.app") / "page" / name).read_text(encoding="utf-8")
