"""Answering visitors: a session and what was done go in, the next session and what to show come out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, assert_never

from rmae.app.actions import (
    AddMark,
    Ask,
    Attend,
    ChooseObject,
    Compare,
    Download,
    Looking,
    Marking,
    NewObject,
    OpenExample,
    OpenFile,
    Opening,
    RemoveObject,
    Request,
    Show,
    ShowRegions,
    Undo,
    parse_request,
)
from rmae.app.answers import NamedRegions, with_masks, with_regions
from rmae.app.downloads import File, make_file
from rmae.app.opened_model import OpenedModel
from rmae.app.picture import open_picture
from rmae.app.replies import as_text, describe, file_as_json
from rmae.app.session import (
    Session,
    add_mark,
    ask,
    choose_object,
    new_object,
    remove_object,
    undo,
    with_picture,
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a visitor may send."""

    max_pixels: int
    """Of a picture."""
    max_upload: int
    """Bytes of its file."""


class Workbench:
    """What all visitors share: models, sources of regions, example pictures and limits. It remembers no visitor.

    Args:
        models: One, or two to compare; of the same number of channels.
        sources: Of regions, at least one.
        examples: Pictures that the page offers.
        limits: What a visitor may send.
    """

    def __init__(
        self,
        models: Sequence[OpenedModel],
        *,
        sources: Sequence[NamedRegions],
        examples: Sequence[Path],
        limits: Limits,
    ) -> None:
        self.models = tuple(models)
        self.sources = tuple(sources)
        self.examples = tuple(examples)
        self.limits = limits

    def answer(self, session: Session, found: object) -> tuple[Session, str]:
        """Do what a visitor asks for.

        Args:
            session: The visitor's.
            found: What the page sent, as JSON gives it.

        Returns:
            The session after it, and the reply as JSON. What cannot be done is left out, with what follows it, and
            the reply says why.
        """
        try:
            request = parse_request(found)
        except ValueError as error:
            return session, self.refuse(session, found, str(error))
        before, message, file = session, None, None
        try:
            for action in request.actions:
                if isinstance(action, Download):
                    file = self._file(session, action)
                else:
                    session = self._do(session, action)
        except ValueError as error:
            message = str(error)
        try:
            session = self._seen(session)
        except ValueError as error:
            session, message = before, str(error)
        return session, self._reply(session, request, message=message, file=file)

    def refuse(self, session: Session, found: object, message: str) -> str:
        """A reply that says what is wrong, to something that may be no request; the session is as before."""
        number = found.get("number") if isinstance(found, dict) else None
        request = Request(number if isinstance(number, int) else 0, 0, ())
        return self._reply(session, request, message=message, file=None)

    def _do(self, session: Session, action: Opening | Marking | Looking) -> Session:
        match action:
            case OpenFile() | OpenExample():
                return self._open(session, action)
            case AddMark() | NewObject() | ChooseObject() | RemoveObject() | Undo():
                return _mark(session, action)
            case _:
                return self._look(session, action)

    def _look(self, session: Session, action: Looking) -> Session:
        look = session.look
        match action:
            case Show(view=view):
                look = replace(look, view=view)
            case Ask(x=x, y=y):
                return ask(session, x, y)
            case Attend(layer=layer, head=head):
                model = self.models[0]
                _check_number("layer", layer, model.num_layers, first=0)
                _check_number("head", 0 if head is None else head, model.num_heads, first=0)
                look = replace(look, layer=layer, head=head)
            case ShowRegions(source=source, label_map=label_map):
                _check_number("source of regions", source, len(self.sources))
                look = replace(look, source=source, label_map=label_map)
            case Compare(on=on):
                if on and len(self.models) < 2:
                    raise ValueError("there is one model; start the app with another to compare it with (--against)")
                look = replace(look, compare=on)
            case _:
                assert_never(action)
        return replace(session, look=look)

    def _open(self, session: Session, action: Opening) -> Session:
        if isinstance(action, OpenExample):
            _check_number("example", action.number, len(self.examples))
            path = self.examples[action.number]
            name, encoded = path.name, path.read_bytes()
        else:
            name, encoded = action.name, action.encoded
            if len(encoded) > self.limits.max_upload:
                raise ValueError(
                    f"{name} has {len(encoded) / 1e6:.1f} MB; at most {self.limits.max_upload / 1e6:g} MB are taken"
                )
        number = 1 if session.picture is None else session.picture.number + 1
        picture = open_picture(name, encoded, self.models, number=number, max_pixels=self.limits.max_pixels)
        return with_picture(session, picture)

    def _seen(self, session: Session) -> Session:
        """The session with what there is to see."""
        if session.picture is None:
            return session
        session = with_masks(session, self.models)
        if session.look.view == "regions":
            session = with_regions(session, self.sources)
        return session

    def _file(self, session: Session, action: Download) -> File:
        _check_number("model", action.model, len(self.models))
        return make_file(session, action.wanted, self.models[action.model], action.model)

    def _reply(self, session: Session, request: Request, *, message: str | None, file: File | None) -> str:
        found: dict[str, Any] = describe(session, self.models, self.sources, has_picture=request.has_picture)
        found |= {"number": request.number, "message": message, "file": None if file is None else file_as_json(file)}
        return as_text(found)


def _mark(session: Session, action: Marking) -> Session:
    match action:
        case AddMark(mark=mark):
            return add_mark(session, mark)
        case NewObject():
            return new_object(session)
        case ChooseObject(number=number):
            return choose_object(session, number)
        case RemoveObject(number=number):
            return remove_object(session, number)
        case Undo():
            return undo(session)
        case _:
            assert_never(action)


def _check_number(what: str, number: int, count: int, *, first: int = 1) -> None:
    """Raise a ValueError unless there is such a thing; people count layers and heads from 0, and all others from 1."""
    if not 0 <= number < count:
        raise ValueError(f"there is no {what} {number + first}; there are {first} to {count - 1 + first}")
