import json

import numpy as np
import pytest
import torch
from PIL import Image

from rmae.data.images import read_image
from rmae.evaluation.classification import knn
from rmae.evaluation.classification.data import list_classes
from rmae.evaluation.classification.pictures import cut_middle


def plain_scores(root, encoder, config, numbers):
    """The same a picture at a time, in numpy but for the encoder itself."""
    data = list_classes(root)
    vit = encoder.vit.eval()
    vit.set_input_size(img_size=config.encoder.image_hw)

    def features(images):
        found = []
        for name in images.names:
            image = cut_middle(read_image(root / name, channels=3, max_pixels=10**6), config.encoder.image_hw)
            mean, std = (np.array(v).reshape(3, 1, 1) for v in (encoder.pixel_mean, encoder.pixel_std))
            with torch.no_grad():
                tokens = vit.forward_features(torch.from_numpy((image / 255 - mean) / std).float()[None])[0].numpy()
            feature = tokens[0] if config.pooling == "token" else tokens[1:].mean(axis=0)
            found.append(feature / np.linalg.norm(feature))
        return np.stack(found)

    similarity = features(data.val.images) @ features(data.train.images).T
    right = dict.fromkeys(numbers, 0)
    for number in numbers:
        for row, label in zip(similarity, data.val.labels, strict=True):
            near = np.argsort(-row)[:number]
            votes = np.zeros(len(data.classes))
            np.add.at(votes, data.train.labels[near], np.exp(row[near].astype(np.float64) / config.temperature))
            right[number] += votes.argmax() == label
    return {f"top1_{number}": right[number] / len(data.val.labels) for number in numbers}


@pytest.mark.parametrize("pooling", ["token", "average"])
@pytest.mark.parametrize("temperature", [0.07, 0.01])
def test_scores_are_those_of_a_plain_search(knn_config, change, run, encoder, pictures, pooling, temperature):
    config = change(knn_config, pooling=pooling, temperature=temperature)
    scores, _ = run(knn, config)
    assert scores == plain_scores(pictures, encoder(), config, (3, 20))


def test_colours_are_told_apart_by_features_of_pixels(knn_config, run, encoder, monkeypatch):
    def average_colour(vit, images, pooling):
        return images.mean(dim=(2, 3))

    monkeypatch.setattr(knn, "encode_pooled", average_colour)
    scores, _ = run(knn, knn_config)
    assert scores["top1_3"] == 1.0


def test_no_more_neighbours_are_asked_than_there_are(knn_config, change, run, capsys):
    scores, folder = run(knn, change(knn_config, num_neighbors=(200, 3, 20)))
    assert list(scores) == ["top1_20", "top1_3"]
    assert "there are 20 training pictures; no more than that are asked as neighbours" in capsys.readouterr().out
    assert "20, 3, as many as there are" in folder.report.read_text()


def test_more_than_five_classes_have_a_top_5(knn_config, change, run, pictures):
    for number in range(4):
        for part in ("train", "val"):
            (pictures / part / f"grey{number}").mkdir()
            grey = np.full((30, 30, 3), 40 * number, np.uint8)
            Image.fromarray(grey).save(pictures / part / f"grey{number}" / "1.png")
    scores, folder = run(knn, change(knn_config, num_neighbors=(3,)))
    assert list(scores) == ["top1_3", "top5_3"]
    assert scores["top1_3"] <= scores["top5_3"] <= 1
    assert "Top-5" in folder.report.read_text()


def test_workers_and_batches_change_nothing(knn_config, change, run):
    scores, _ = run(knn, knn_config)
    others, _ = run(knn, change(knn_config, eval_batch_size=3, reading={"num_workers": 2}), "others")
    assert others == scores


def test_a_damaged_training_picture_is_left_out_and_listed(knn_config, run, pictures):
    (pictures / "train" / "red" / "02.png").write_bytes(b"no picture")
    scores, folder = run(knn, knn_config)
    assert list(scores) == ["top1_3", "top1_19"]
    (line,) = folder.skipped_images.read_text().splitlines()
    assert json.loads(line)["name"] == "train/red/02.png"


def test_too_many_damaged_pictures_are_refused(knn_config, run, pictures):
    for name in ("02", "05"):
        (pictures / "train" / "red" / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"^2 of 20 images cannot be used, more than the allowed share of 0\.05"):
        run(knn, knn_config)


def test_a_damaged_picture_for_validation_is_refused_by_name(knn_config, run, pictures):
    (pictures / "val" / "red" / "02.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"^the picture for validation val/red/02\.png cannot be read \("):
        run(knn, knn_config)


def test_features_that_are_not_finite_are_refused(knn_config, run, encoder):
    broken = encoder()
    broken.vit.norm.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"^the encoder tiny gives features that are not finite; take --precision fl"):
        run(knn, knn_config, tested=broken)


@pytest.mark.parametrize("precision", ["bf16", "float64"])
def test_other_arithmetic_finds_about_the_same(knn_config, change, run, precision):
    scores, _ = run(knn, change(knn_config, run={"precision": precision}))
    assert 0 <= scores["top1_3"] <= 1


def test_the_report_shows_pictures_with_their_neighbours(knn_config, run):
    _, folder = run(knn, knn_config)
    page = folder.report.read_text()
    assert "Nearest neighbours of tiny" in page
    assert page.count("the picture, and its true class") >= 4
    assert page.count("similarity 0.") + page.count("similarity 1.00") >= 20
