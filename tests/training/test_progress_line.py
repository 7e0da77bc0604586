from rmae.training.metrics import Metrics
from rmae.training.progress_line import ProgressLine


def show(capsys, *, shown=True, skipped=0, region_loss=0.25):
    line = ProgressLine(400, 0, 32, shown=shown)
    with line:
        line.advance()
        losses = {"loss": 1.0, "pixel_loss": 0.75, "region_loss": region_loss}
        line.show(Metrics(20, 1.0, losses, 0.1, 1e-3, 64.0, skipped))
    return capsys.readouterr().out


def test_a_log_file_gets_a_plain_line(capsys):
    assert show(capsys) == (
        "update  20/400  pixel loss 0.7500  region loss 0.2500  64 images/s  lr 1.0e-03  0:03:10 left\n"
    )


def test_skipped_images_are_counted_and_missing_losses_left_out(capsys):
    line = show(capsys, skipped=3, region_loss=None)
    assert "3 images skipped" in line
    assert "region" not in line


def test_other_ranks_are_silent(capsys):
    assert show(capsys, shown=False) == ""
