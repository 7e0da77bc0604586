"""A piece of the work: one command, whose result stays."""

from typing import NamedTuple


class Piece(NamedTuple):
    """One `rmae` command. Pieces that do not need each other may run at the same time."""

    name: str
    """Unique, for instance `pretrain/rmae/seed_0`; its log and the record of its end are called after it."""
    arguments: tuple[str, ...]
    """What follows `rmae` on the command line; paths are relative to the workspace."""
    needs: tuple[str, ...]
    """Names of the pieces that must be done before."""
    out: str
    """The file or folder that it writes, relative to the workspace."""
    resumable: bool
    """Whether the command takes `--resume` to go on with what it has begun in `out`; others begin anew."""
