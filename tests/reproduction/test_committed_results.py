import shutil
from pathlib import Path

from rmae.reproduction.results import write_results
from rmae.reproduction.tables import TABLES

ROOT = Path(__file__).parents[2]
RECORDS, PAGE, PLOTS = "benchmarks/reproduce", "docs/results.md", "docs/assets/results"


def test_the_committed_page_is_that_of_the_committed_records(tmp_path: Path):
    shutil.copytree(ROOT / RECORDS, tmp_path / RECORDS)
    (tmp_path / PAGE).parent.mkdir()
    write_results(tmp_path / RECORDS, tmp_path / PAGE, {letter: table.text for letter, table in TABLES.items()})
    assert (tmp_path / PAGE).read_text() == (ROOT / PAGE).read_text(), f"make it: rmae results {RECORDS} --out {PAGE}"
    made, committed = (sorted(path.name for path in (root / PLOTS).iterdir()) for root in (tmp_path, ROOT))
    assert made == committed
