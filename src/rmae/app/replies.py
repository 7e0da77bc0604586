"""What the page is told: all that there is to see, as JSON."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from rmae.app.answers import NamedRegions, num_shown
from rmae.app.downloads import File
from rmae.app.marks import mark_as_json
from rmae.app.opened_model import OpenedModel
from rmae.app.session import RegionMaps, Session, patch_at
from rmae.app.views import draw_overlay, draw_regions, rgba_data_uri
from rmae.visual.figure_words import rough_percent
from rmae.visual.heat_maps import draw_heat_map
from rmae.visual.mask_pictures import mask_colour
from rmae.visual.pictures import css_colour, jpeg_data_uri
from rmae.visual.region_statistics import region_areas


def describe(
    session: Session, models: Sequence[OpenedModel], sources: Sequence[NamedRegions], *, has_picture: int
) -> dict[str, Any]:
    """Say what there is to see.

    Args:
        session: With the masks and the regions that are seen.
        models: All models of the app.
        sources: All sources of regions of the app.
        has_picture: Number of the picture that the page shows already.

    Returns:
        What `json.dumps` takes; pictures as `data:` URIs.
    """
    return {
        "picture": _picture(session, has_picture),
        "view": session.look.view,
        "compare": session.look.compare,
        "objects": [_object(session, number, models) for number in range(len(session.objects))],
        "chosen": session.chosen,
        "can_undo": bool(session.past),
        "attention": _attention(session, models),
        "regions": _regions(session, sources),
        "panes": [_pane(session, number, model) for number, model in enumerate(models[: num_shown(session)])],
    }


def as_text(found: dict[str, Any]) -> str:
    """Write JSON that stays text wherever a page puts it."""
    return json.dumps(found).replace("<", "\\u003c")


def file_as_json(file: File) -> dict[str, str]:
    """Write a file for the page to save."""
    return {"name": file.name, "type": file.media_type, "encoded": base64.b64encode(file.content).decode()}


def _picture(session: Session, has_picture: int) -> dict[str, Any] | None:
    picture = session.picture
    if picture is None:
        return None
    return {
        "number": picture.number,
        "name": picture.name,
        "height": picture.size_hw[0],
        "width": picture.size_hw[1],
        "uri": None if picture.number == has_picture else jpeg_data_uri(picture.shown),
    }


def _object(session: Session, number: int, models: Sequence[OpenedModel]) -> dict[str, Any]:
    marks = session.objects[number]
    facts = [_facts(session, model, number) for model in range(num_shown(session))]
    if len(set(facts)) > 1:
        facts = [f"{model.name}: {fact}" for model, fact in zip(models, facts, strict=True)]
    return {
        "colour": css_colour(mask_colour(number)),
        "marks": [mark_as_json(mark) for mark in marks],
        "facts": list(dict.fromkeys(facts)),
    }


def _facts(session: Session, model: int, number: int) -> str:
    marks = session.objects[number]
    if not marks:
        return "not marked yet"
    answer = session.masks.get((model, marks))
    if answer is None:
        return "mark the object itself, too"
    if answer.share == 0:
        return "nothing found"
    return f"covers {rough_percent(answer.share)}, IoU\N{NO-BREAK SPACE}about\N{NO-BREAK SPACE}{answer.confidence:.2f}"


def _attention(session: Session, models: Sequence[OpenedModel]) -> dict[str, Any]:
    model, look = models[0], session.look
    return {
        "layer": model.num_layers - 1 if look.layer is None else look.layer,
        "head": look.head,
        "num_layers": model.num_layers,
        "num_heads": model.num_heads,
        "grid": model.grid,
        "patch": None if session.picture is None else patch_at(session, model.grid),
    }


def _regions(session: Session, sources: Sequence[NamedRegions]) -> dict[str, Any]:
    seen = session.regions if session.look.view == "regions" else None
    return {
        "sources": [source.name for source in sources],
        "source": session.look.source,
        "label_map": session.look.label_map,
        "num_maps": 0 if seen is None else len(seen.label_maps),
        "caption": "" if seen is None else _in_words(seen, session.look.label_map),
    }


def _in_words(regions: RegionMaps, label_map: int | None) -> str:
    maps = regions.label_maps if label_map is None else regions.label_maps[label_map][None]
    areas = region_areas(maps)
    if areas.size == 0:
        return f"no region{regions.caption}"
    number = "1 region" if areas.size == 1 else f"{areas.size:,} regions"
    return f"{number}, the median one {rough_percent(float(np.median(areas)))} of the picture{regions.caption}"


def _pane(session: Session, number: int, model: OpenedModel) -> dict[str, Any]:
    """What is seen of one model."""
    pane: dict[str, Any] = {"name": model.name, "overlay": None, "layer": None, "caption": ""}
    if session.picture is None:
        return pane
    match session.look.view:
        case "masks":
            overlay = draw_overlay(session, number)
            pane["overlay"] = None if overlay is None else rgba_data_uri(overlay)
        case "attention":
            pane |= _attention_pane(session, number, model)
        case "regions":
            assert session.regions is not None
            photo = session.picture.shown
            pane["layer"] = jpeg_data_uri(draw_regions(session.regions, session.look.label_map, photo))
    return pane


def _attention_pane(session: Session, number: int, model: OpenedModel) -> dict[str, Any]:
    """A second model may have fewer layers and heads than the one whose pickers are seen."""
    picture, look = session.opened(), session.look
    last = model.num_layers - 1
    layer = last if look.layer is None else min(look.layer, last)
    head = look.head if look.head is not None and look.head < model.num_heads else None
    patch = patch_at(session, model.grid)
    values = model.attention(picture.sights[number], patch, layer=layer, head=head)
    of_head = f"mean of {model.num_heads} heads" if head is None else f"head {head}"
    kept = f"{rough_percent(float(values.sum()))} of it on patches, the rest on the class token"
    return {
        "layer": jpeg_data_uri(draw_heat_map(values, picture.shown)),
        "caption": f"layer {layer}, {of_head}; {kept}",
        "grid": model.grid,
        "patch": patch,
    }
