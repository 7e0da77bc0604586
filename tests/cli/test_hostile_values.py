"""Values of flags that make no sense, whatever their kind."""

import pytest

from rmae import cli

VALUES = (
    "many",
    "nan",
    "-inf",
    "1e400",
    "-1",
    "0",
    "1.5",
    "9" * 400,
    "9" * 5000,
    "\x1b[2Jx\ny",
    "",
    "[]",
    "None",
    "3 4 5",
)
FLAGS = (
    "--batch-size", "--mask-ratio", "--img-size", "--patch-size", "--base-lr", "--max-pixels", "--num-workers",
    "--seed", "--depth", "--embed-dim", "--crop-scale", "--pixel-mean", "--regions", "--updates", "--devices", "--task",
)  # fmt: skip


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("preset", ["demo", "rmae-coco-vit-b-fh"])
def test_any_value_is_answered_in_one_line(flag: str, preset: str, tmp_path, capsys: pytest.CaptureFixture[str]):
    for value in VALUES:
        code = cli.run(["pretrain", preset, "--data", str(tmp_path / "nowhere"), flag, value])
        said = capsys.readouterr()
        assert code in (1, 2)
        assert said.out == ""
        assert said.err.startswith("rmae: ")
        assert said.err.endswith("\n")
        assert said.err[:-1].isprintable()
        assert len(said.err) < 1100
        assert "there is no preset" not in said.err
