import pytest

from rmae.quoting import kind_and_message, one_line, quoted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        (7, "7"),
        (None, "None"),
        ({"a": [1, 2.5, True]}, "{'a': [1, 2.5, True]}"),
        ({"b": 1, "a": {"c": 2}}, "{'b': 1, 'a': {'c': 2}}"),
        (
            dict.fromkeys(range(11)),
            "{0: None, 1: None, 2: None, 3: None, 4: None, 5: None, 6: None, 7: None, 8: None, 9: None, ...}",
        ),
        ("a\nb\x1b", r"'a\nb\x1b'"),
        ("\ud800", r"'\ud800'"),
    ],
)
def test_short_values_are_written_as_python_would(value: object, text: str):
    assert quoted(value) == text


@pytest.mark.parametrize("value", ["x" * 10**6, [[["abc"] * 9] * 9] * 9, {"k" * 999: "v" * 999}, list(range(10**5))])
def test_long_values_are_shortened(value: object):
    assert len(quoted(value)) <= 100
    assert quoted(value)[:2] == repr(value)[:2]


def test_values_that_are_nested_too_deeply_for_python_are_written():
    value: list = []
    for _ in range(10_000):
        value = [value]
    assert quoted(value) == "[[[[...]]]]"


def test_text_is_put_on_one_line_and_shortened():
    assert one_line(" a\n\tb  c ") == "a b c"
    assert one_line("a\x1b[2J\x00é") == "a?[2J?é"
    assert one_line("abcdefgh", longest=8) == "abcdefgh"
    assert one_line("abcdefghi", longest=8) == "abcde..."
    assert one_line(ValueError("a\nb")) == "a b"
    assert one_line([1, "a"]) == "[1, 'a']"


def test_errors_that_do_not_tell_by_themselves_come_with_their_kind():
    assert kind_and_message(KeyError("size")) == "KeyError: 'size'"
    assert kind_and_message(ValueError("a\nb" + "c" * 10**6)).startswith("ValueError: a bccc")
    assert len(kind_and_message(ValueError("c" * 10**6))) == 200
