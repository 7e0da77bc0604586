"""The names of classes, from the files that come with a data set."""

from pathlib import Path

from rmae.quoting import quoted

_ADE20K, _PLAIN = "objectInfo150.txt", "classes.txt"
CLASS_FILES = (_ADE20K, _PLAIN)
"""Files with names of classes, looked for in this order beside the folders of a data set."""


def read_class_names(root: Path) -> tuple[str, ...] | None:
    """Read the names of the classes in their order, without a class that is ignored.

    Args:
        root: Folder of the data set. In it there may be `objectInfo150.txt` of ADE20K, a table whose first column is
            the class from 1 and whose last one is its name, or `classes.txt` with a name in each line.

    Returns:
        The names, or None if there is no such file.

    Raises:
        ValueError: A file is not of its form, or holds no name.
    """
    for file_name, read in ((_ADE20K, _from_table), (_PLAIN, _from_lines)):
        path = root / file_name
        if path.is_file():
            names = read(path)
            if not names:
                raise ValueError(f"{path} holds no name of a class; write one in each line, or remove the file")
            return names
    return None


def _from_lines(path: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in _lines(path))


def _from_table(path: Path) -> tuple[str, ...]:
    rows = [line.split(maxsplit=5) for line in _lines(path)[1:]]  # the first line names the columns
    for number, row in enumerate(rows, start=1):
        if len(row) != 6 or row[0] != str(number):
            raise ValueError(
                f"line {number + 1} of {path} is {quoted(' '.join(row))}; it must have six columns (Idx, Ratio, Train, "
                f"Val, Stuff, Name), the first of them {number}"
            )
    return tuple(row[5].strip() for row in rows)


def _lines(path: Path) -> list[str]:
    """The lines that are not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 ({error.reason})") from None
    return [line for line in text.splitlines() if line.strip()]
