import numpy as np
import pytest

from rmae.evaluation.classification.data import list_classes
from rmae.evaluation.classification.neighbours import Neighbours
from rmae.evaluation.classification.report import write_classifier_report, write_knn_report
from rmae.evaluation.classification.verdicts import Verdicts
from rmae.training.run_folder import RunFolder

BLUE, GREEN, RED = 0, 1, 2


@pytest.fixture
def data(pictures):
    return list_classes(pictures)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def judged(data, predicted, probability):
    """Verdicts whose best class is as given, with its probability."""
    others = np.array([[c for c in range(3) if c != best] for best in predicted])
    probability = np.array(probability, np.float32)[:, None]
    return Verdicts(
        np.column_stack([predicted, others]),
        np.hstack([probability, np.repeat((1 - probability) / 2, 2, axis=1)]),
        data.val.labels,
        data.classes,
    )


def test_a_page_about_a_classifier(finetune_config, data, folder):
    assert data.val.labels.tolist() == [BLUE, BLUE, BLUE, GREEN, GREEN, RED, RED]
    verdicts = judged(data, [BLUE, RED, RED, GREEN, GREEN, BLUE, RED], [0.9, 0.61, 0.82, 0.7, 0.6, 0.5, 0.4])
    folder.metrics.write_text('{"update": 5, "loss": 2.5, "lr": 0.1}\n{"update": 10, "loss": 1.5, "lr": 0.0}\n')
    folder.skipped_images.write_text('{"name": "a"}\n{"name": "b"}\n')
    write_classifier_report(finetune_config, "my <encoder>", data, verdicts, folder)
    page = folder.report.read_text()
    for text in (
        "Fine-tuning of my &lt;encoder&gt;", "57.1\N{NO-BREAK SPACE}%", "by chance 33.3", "Training loss",
        "2 pictures could not be read", "Taken for something else, most surely", "Recognised, from surely to barely",
        "red 82\N{NO-BREAK SPACE}%", "is blue", "blue 90\N{NO-BREAK SPACE}%",
    ):  # fmt: skip
        assert text in page, text
    assert page.index("red 82") < page.index("red 61") < page.index("blue 50") < page.index("blue 90")
    rows = [f'<th scope="row">{name}</th><td>' for name in ("blue", "red", "green")]  # the worst first
    assert page.index(rows[0]) < page.index(rows[1]) < page.index(rows[2])
    assert "<td>3</td><td>1</td><td>33.3\N{NO-BREAK SPACE}%</td><td>red (2)</td>" in page
    assert "What was taken for what" in page


def test_a_class_without_a_picture_for_validation_has_no_share(finetune_config, data, folder):
    verdicts = judged(data, [BLUE] * 7, [0.5] * 7)._replace(classes=("blue", "green", "red", "white"))
    write_classifier_report(finetune_config, "e", data, verdicts, folder)
    dash = "\N{EN DASH}"
    assert f'<th scope="row">white</th><td>0</td><td>0</td><td>{dash}</td><td>{dash}</td>' in folder.report.read_text()


def test_where_there_are_few_mistakes_all_pictures_are_on_one_card(linear_config, data, folder):
    write_classifier_report(linear_config, "e", data, judged(data, data.val.labels, [0.9] * 7), folder)
    page = folder.report.read_text()
    assert "Linear probe of e" in page
    assert "Taken for something else" not in page
    assert "Mistakes first" in page
    assert page.count("<figure>") == 7


def test_of_many_classes_the_pairs_are_left_out(finetune_config, data, folder):
    names = tuple(f"class {number}" for number in range(13))
    verdicts = judged(data, [BLUE] * 7, [0.5] * 7)._replace(classes=names)
    write_classifier_report(finetune_config, "e", data._replace(classes=names), verdicts, folder)
    assert "What was taken for what" not in folder.report.read_text()


def test_a_page_about_neighbours(knn_config, data, folder):
    verdicts = judged(data, [RED, *data.val.labels[1:]], [0.75] * 7)
    near = np.tile(np.arange(6), (7, 1))  # blue ones, by the order of the folders
    similarity = np.tile(np.linspace(0.95, 0.45, 6, dtype=np.float32), (7, 1))
    write_knn_report(knn_config, "e", data, {20: verdicts}, Neighbours(similarity, near), folder)
    page = folder.report.read_text()
    for text in (
        "Nearest neighbours of e", "Top-1, 20 neighbours", "85.7\N{NO-BREAK SPACE}%", "20, as many as there are",
        "val/blue/00.png", "Taken for red with 75\N{NO-BREAK SPACE}% of the votes.",
        "Recognised: green with 75\N{NO-BREAK SPACE}% of the votes.", "similarity 0.95", "similarity 0.55",
    ):  # fmt: skip
        assert text in page, text
    assert "similarity 0.45" not in page  # the sixth
    assert page.count("<figure>") == 5 * 6  # one mistake and four others, each with five neighbours
