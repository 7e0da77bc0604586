"""Looking at where a result is to go before the work begins."""

from pathlib import Path

from rmae.cli.parsing import UsageError


def check_output_file(flag: str, path: Path | None) -> None:
    """Raise a UsageError if a file, given by a flag, could not be written; None is fine."""
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"--{flag} is {path}, which is a folder; name a file")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--{flag} is {path}, but there is no folder {path.parent}; make it first")
