"""Writing the results page from records."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rmae.cli.output_file import check_output_file
from rmae.cli.parsing import parse


def results(arguments: list[str]) -> None:
    """Write the results page and its plots."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class ResultsArguments:
        """Write a page about the tables that `rmae reproduce` has run.

        It tells scores with their spread over seeds, shows plots, and judges the paper's claims. It is written from the
        records alone, the same for the same records. What you write about them survives it: the page takes in
        FOLDER/a-tiny.md where there is a record FOLDER/a-tiny.json, and FOLDER/reading.md at its top.
        """

        folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="[FOLDER]")] = Path(
            "runs/reproduce/results"
        )
        """Folder of the records."""
        out: Path | None = None
        """Page to write, Markdown; None = FOLDER/results.md. Plots go to assets/results/ beside a page results.md."""

    chosen = parse(ResultsArguments, "results", arguments)
    check_output_file("out", chosen.out)

    from rmae.reproduction.results import write_results
    from rmae.reproduction.tables import TABLES

    out = chosen.folder / "results.md" if chosen.out is None else chosen.out
    records = write_results(chosen.folder, out, {letter: table.text for letter, table in TABLES.items()})
    print(f"made: {out} ({', '.join(record.name for record in records)})")
