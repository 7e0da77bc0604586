"""What a person sees while images are gone through."""

import pytest

from rmae.data.image_progress import ImageProgress


def test_a_name_that_is_skipped_cannot_command_a_terminal(capsys: pytest.CaptureFixture[str]):
    with ImageProgress(2, done=0, doing="regions of") as progress:
        progress.skip("a/\x1b]0;mine\x07\n caf\udce9 é.png", "it is \x1b[31m torn")
    said = capsys.readouterr()
    assert (said.out + said.err).splitlines()[0] == "skipped a/?]0;mine? caf? é.png: it is ?[31m torn"
