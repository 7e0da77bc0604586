"""What is seen of long work, on a terminal and elsewhere."""

import pytest

from rmae.live_bar import LiveBar


def work(*, shown: bool = True) -> bool:
    """Two of three steps, one of which was done before; returns whether there is a bar."""
    bar = LiveBar(3, done=1, doing="packed", width=12, shown=shown)
    bar.start()
    bar.advance()
    bar.show("7 images/s")
    bar.print("a line [bold]as it is[/bold]")
    bar.stop()
    return bar.is_live


def test_a_terminal_has_lines_above_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    assert work()
    line, seen = "a line [bold]as it is[/bold]", capsys.readouterr().out
    assert "packed" in seen.partition(line)[2]
    assert "2/3" in seen
    assert "7 images/s" in seen


def test_a_log_file_has_lines_alone(capsys: pytest.CaptureFixture[str]):
    assert not work()
    assert capsys.readouterr().out == "a line [bold]as it is[/bold]\n"


def test_nothing_is_shown_where_nothing_shall(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not work(shown=False)
    assert capsys.readouterr().out == ""
