"""What earlier starts left of a piece, and how it goes on from there."""

import difflib
import os
import shlex
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rmae.reproduction.piece import Piece
from rmae.reproduction.piece_record import PieceRecord, read_piece_record

_SETTINGS = "config.json"  # the first file that a run or an evaluation writes
_MOST_LETTERS = 80  # of settings in a sentence


def check_workspace(pieces: Sequence[Piece], workspace: Path) -> None:
    """Make sure that what stands in the places of pieces was made for them.

    Raises:
        ValueError: Something in the place of a piece was not begun here, or was made with other settings.
    """
    for piece in pieces:
        record, there = read_piece_record(workspace, piece.name), _is_there(piece, workspace)
        if record is None and there:
            # It may be the user's own: it must not be gone on with, let alone be deleted.
            raise ValueError(
                f"{workspace / piece.out} is there already, but was not begun by this command; choose another folder "
                "(--out), or move it away"
            )
        if record is not None and record.arguments != piece.arguments and (record.finished or there):
            was, wanted = difference(record.arguments, piece.arguments)
            raise ValueError(
                f"{workspace} has {piece.name} {was}, not {wanted}; choose another folder (--out), or delete this one"
            )


def is_done(piece: Piece, workspace: Path) -> bool:
    """Whether a piece needs no further start: it was finished, and what it made is still there."""
    record = read_piece_record(workspace, piece.name)
    return record is not None and record.finished and _is_there(piece, workspace)


def earlier_work(piece: Piece, workspace: Path) -> PieceRecord:
    """What a piece that is not done has behind it, if it goes on now."""
    record = read_piece_record(workspace, piece.name)
    if record is None or record.finished or record.arguments != piece.arguments:
        return PieceRecord(piece.arguments, 0.0, finished=False)  # what it made was deleted
    return record


def make_ready(piece: Piece, workspace: Path) -> tuple[str, ...]:
    """Find out how a piece goes on; where it cannot, delete what is left of it.

    Args:
        piece: One that is not done, of a workspace that was checked.
        workspace: The folder; nobody else works in it.

    Returns:
        The arguments to start it with.
    """
    out = _place(piece, workspace)
    if piece.resumable and _is_begun(out):
        return (*piece.arguments, "--resume")
    if out.is_dir() and not out.is_symlink():
        shutil.rmtree(out)
    else:
        out.unlink(missing_ok=True)
    return piece.arguments


def _is_begun(out: Path) -> bool:
    """Whether there is a run, or an evaluation with one seed or a folder for each of several."""
    return any(file.exists() for file in (out / _SETTINGS, *out.glob(f"seed_*/{_SETTINGS}")))


def _is_there(piece: Piece, workspace: Path) -> bool:
    return os.path.lexists(_place(piece, workspace))


def _place(piece: Piece, workspace: Path) -> Path:
    parts = PurePosixPath(piece.out).parts
    assert {"/", ".."}.isdisjoint(parts), f"{piece.name} writes outside of the workspace: {piece.out}"
    assert parts, f"{piece.name} writes in no place of its own"
    return workspace / piece.out


def difference(old: Sequence[str], new: Sequence[str]) -> tuple[str, str]:
    """The first difference between two lists of arguments, in short.

    Returns:
        What is true of the old ones, and of the new ones.

    Example:
        >>> difference(["pretrain", "--updates", "6"], ["pretrain", "--updates", "8"])
        ('with --updates 6', 'with --updates 8')
        >>> difference(["pretrain"], ["pretrain", "--seed", "1"])
        ('without --seed 1', 'with --seed 1')
    """
    codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    _, old_start, old_end, new_start, new_end = next(code for code in codes if code[0] != "equal")
    was, wanted = _in_short(old, old_start, old_end), _in_short(new, new_start, new_end)
    if not wanted:
        return f"with {was}", f"without {was}"
    return (f"with {was}" if was else f"without {wanted}"), f"with {wanted}"


def _in_short(arguments: Sequence[str], start: int, end: int) -> str:
    """Some of the arguments, with the flag before a value."""
    if start < end and start > 0 and arguments[start - 1].startswith("--") and not arguments[start].startswith("--"):
        start -= 1
    return textwrap.shorten(shlex.join(arguments[start:end]), _MOST_LETTERS, placeholder=" ...")
