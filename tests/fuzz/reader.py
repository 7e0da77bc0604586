"""What is fuzzed: a reader, files that it reads, how they are damaged, and which errors are clear."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

Files = dict[str, bytes]
"""Contents by path in a folder."""
Damage = Callable[[np.random.Generator, Files, Sequence[Files]], Files]
"""From whole files, and all the samples that there are, to damaged ones."""
DamageContent = Callable[[np.random.Generator, bytes, Sequence[bytes]], bytes]
"""From the content of one file, and those of the same file in all samples, to a damaged one."""


class Reader(NamedTuple):
    """One reader."""

    name: str
    """What it reads."""
    make: Callable[[Path], list[Files]]
    """Writes valid samples by the project's own writers; it is given an empty folder to do so in."""
    read: Callable[[Path], None]
    """Reads the files in a folder, and fails an assertion where what was read is not what the reader promises."""
    damage: Damage
    """How its files are damaged."""
    clear: tuple[type[Exception], ...] = (ValueError,)
    """The errors that it documents."""
    prints_itself: bool = False
    """Whether a library that it uses prints to standard error itself, whatever is asked of it."""
    named: str = ""
    """What each of its sentences must name: the file, or a part of its path; nothing where its callers do."""


def damaging(*files: str, by: DamageContent) -> Damage:
    """Damage one of these files, any where none is named."""

    def damage(generator: np.random.Generator, sample: Files, samples: Sequence[Files]) -> Files:
        chosen = [file for file in files or sample if file in sample]
        file = chosen[int(generator.integers(len(chosen)))]
        others = [other[file] for other in samples if file in other]
        return {**sample, file: by(generator, sample[file], others)}

    return damage


def one_of(*damages: Damage) -> Damage:
    """Damage in one of several ways, each as often as the others."""

    def damage(generator: np.random.Generator, sample: Files, samples: Sequence[Files]) -> Files:
        return damages[int(generator.integers(len(damages)))](generator, sample, samples)

    return damage


def files_below(folder: Path) -> Files:
    """The files in a folder and below it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
