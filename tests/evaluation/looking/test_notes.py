from collections.abc import Callable
from pathlib import Path

import rmae
from rmae.data.image_set import ImageSet
from rmae.data.photographs import photographs_folder
from rmae.data.picture_choice import Picture
from rmae.evaluation.looking.notes import describe, hints_for, missing_parts, pictures_in_words, seen_in_training
from rmae.evaluation.looking.subject import Subject
from rmae.training.run_folder import SavedRun

MakeSubject = Callable[..., Subject]
TIMES = "\N{MULTIPLICATION SIGN}"


def test_a_model_in_a_line(make_subject: MakeSubject):
    subject = make_subject()
    line = f"2 blocks of 32 channels; sees a picture as 48 {TIMES} 32 pixels in 6 {TIMES} 4 patches"
    assert describe(subject) == line
    assert describe(subject._replace(is_random=True)) == f"{line}; random weights"
    run = SavedRun({}, None, "", Path("config.json"))
    assert describe(subject._replace(run=run)) == f"{line}; trained on photographs that come with scikit-image"
    assert describe(subject._replace(run=run._replace(data="/data/mine"))) == f"{line}; trained on /data/mine"


def test_what_is_missing_is_said(make_subject: MakeSubject):
    whole, mae, rae = make_subject(), make_subject(task="mae"), make_subject(task="rae")
    alone = whole._replace(name="alone", model=None)
    notes = missing_parts([whole, mae, rae, alone, alone._replace(is_random=True)])
    assert notes[:2] == [
        "mine has no region branch, so it completes no regions.",
        "mine has no pixel decoder, so it reconstructs no pixels.",
    ]
    assert notes[2].startswith("alone is an encoder alone, so only its attention and features are shown")
    assert len(notes) == 3


def test_pictures_of_the_training_folder_are_owned_up_to(make_subject: MakeSubject, tmp_path: Path):
    def trained_on(data: str | None) -> Subject:
        return make_subject()._replace(run=SavedRun({}, data, "", Path("config.json")))

    inside = Picture(ImageSet(tmp_path / "train", ("deep/a.png",)), "deep/a.png")
    beside = Picture(ImageSet(tmp_path / "training", ("b.png",)), "b.png")
    bundled = [Picture(ImageSet(photographs_folder(), ()), name) for name in ("astronaut.png", "coffee.png")]
    pictures = [inside, beside, *bundled]

    [note] = seen_in_training([trained_on(str(tmp_path / "train")), make_subject()], pictures)
    assert note.startswith("1 of the pictures comes from the folder that mine was trained on. It may remember")
    [note] = seen_in_training([trained_on(str(tmp_path))], pictures)
    assert note.startswith("2 of the pictures come from")
    [note] = seen_in_training([trained_on(None)], pictures)
    assert note.startswith("1 of the pictures comes from the photographs of scikit-image that mine was trained on")
    assert seen_in_training([trained_on(str(tmp_path / "none"))], pictures) == []


def test_where_pictures_come_from():
    pictures = [Picture(ImageSet(Path("/a"), ()), "1"), Picture(ImageSet(photographs_folder(), ()), "2")] * 2
    assert pictures_in_words(pictures) == "4 from /a, the photographs of scikit-image"


def test_hints_are_those_of_the_parts_that_are_there(make_subject: MakeSubject):
    subjects = [make_subject(), make_subject(depth=4)]
    config = rmae.VisualizeConfig(layer=-2)
    everything = hints_for(subjects, config, with_pixels=True, with_regions=True)
    assert [hint.heading for hint in everything] == ["Reconstructions", "Regions", "Attention", "Features"]
    assert "block 0 of 0 to 1 (mine) and block 2 of 0 to 3 (mine)" in everything[2].sentences
    less = hints_for(subjects, config, with_pixels=False, with_regions=False)
    assert [hint.heading for hint in less] == ["Attention", "Features"]
    [alike, _] = hints_for([subjects[1]] * 2, config, with_pixels=False, with_regions=False)
    assert "drawn from, in block 2 of 0 to 3, as the mean" in alike.sentences
