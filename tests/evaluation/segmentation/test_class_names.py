from pathlib import Path

import pytest

from rmae.evaluation.segmentation.class_names import read_class_names

TABLE = (
    "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1576\t11664\t1172\t1\twall\n2\t0.1072\t6046\t612\t1\tbuilding, edifice\n"
)


def test_a_name_a_line(tmp_path: Path):
    assert read_class_names(tmp_path) is None
    (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbfwall \r\n\r\nsky, clouds\r\n")
    assert read_class_names(tmp_path) == ("wall", "sky, clouds")


@pytest.mark.parametrize("table", [TABLE, TABLE.replace("\t", "   ")])
def test_the_table_of_ade20k_comes_first(tmp_path: Path, table: str):
    (tmp_path / "classes.txt").write_text("other\n")
    (tmp_path / "objectInfo150.txt").write_text(table)
    assert read_class_names(tmp_path) == ("wall", "building, edifice")


@pytest.mark.parametrize("line", ["3 wall", "1\t0.1\t1\t1\t1\twall", "a\t0.1\t1\t1\t1\twall"])
def test_a_table_of_another_form_is_refused(tmp_path: Path, line: str):
    (tmp_path / "objectInfo150.txt").write_text(TABLE + line)
    with pytest.raises(
        ValueError, match=r"line 4 of .*objectInfo150\.txt is '.*wall'; it must have six columns .*, the"
    ):
        read_class_names(tmp_path)


def test_what_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"classes\.txt is not text in UTF-8"):
        read_class_names(tmp_path)
