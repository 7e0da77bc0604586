"""Plans: every command of every table is one that rmae takes, and controls are what they say."""

import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from rmae.bench.macs import count_macs
from rmae.cli import run
from rmae.config import ModelConfig
from rmae.evaluation.presets import Task
from rmae.models.build import build_model, num_trainable_parameters
from rmae.reproduction.arms import MAE, RMAE, Arm
from rmae.reproduction.budgets import BUDGETS, Budget, BudgetName
from rmae.reproduction.flags import as_arguments
from rmae.reproduction.gathering import SCORES
from rmae.reproduction.piece import Piece
from rmae.reproduction.plan import CutOutFolders, own_flags, plan
from rmae.reproduction.reproduce import choose_tasks
from rmae.reproduction.tables import TABLES, Letter

CASES = [(letter, name) for letter in TABLES for name in BUDGETS]


def pieces_of(
    letter: Letter,
    name: BudgetName,
    *,
    seeds: int = 1,
    also: tuple[Task, ...] = (),
    cut_outs: CutOutFolders | None = None,
) -> tuple[Piece, ...]:
    table, budget = TABLES[letter], BUDGETS[name]
    return plan(table, budget, seeds=range(seeds), tasks=choose_tasks(table, budget, also), cut_outs=cut_outs)


def model_of(arm: Arm, budget: Budget) -> ModelConfig:
    """The model that an arm's flags describe; what they say of anything else is left out."""
    flags = {**budget.pretrain, **(budget.wider_decoder if arm.control == "parameters" else arm.flags)}
    knobs: dict[str, Any] = {name: value for name, value in flags.items() if name in ModelConfig.__dataclass_fields__}
    return ModelConfig(task=arm.task or "mae", **knobs)


@pytest.mark.parametrize(("letter", "name"), CASES)
def test_names_and_places_are_unique_and_what_is_needed_comes_before(letter: Letter, name: BudgetName) -> None:
    pieces = pieces_of(letter, name, seeds=2)
    assert len({piece.name for piece in pieces}) == len({piece.out for piece in pieces}) == len(pieces)
    seen: set[str] = set()
    for piece in pieces:
        assert set(piece.needs) <= seen, piece.name
        seen.add(piece.name)


@pytest.mark.parametrize("name", BUDGETS)
def test_every_command_is_one_that_rmae_takes(
    name: BudgetName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # In an empty folder a command that is right in itself fails for want of its data.
    monkeypatch.chdir(tmp_path)
    cut_outs = CutOutFolders(Path("cut-outs"), Path("photographs"), ("cats",))
    commands = {
        # Encoders that are called otherwise make no other command of an evaluation.
        re.sub(r"/\w+/seed_0", "/ARM/seed_0", shlex.join(piece.arguments)): piece.arguments
        for letter in TABLES
        for piece in pieces_of(letter, name, also=("detect", "linear") if letter == "a" else (), cut_outs=cut_outs)
    }
    assert sum(command.startswith("pretrain") for command in commands) == 35  # one an arm
    for command, arguments in commands.items():
        assert run(arguments) == 1, command
        said = capsys.readouterr().err
        missing = "the folder of cut-outs" if arguments[0] == "scenes" else "the data folder"
        assert re.match(f"rmae: {missing}.* does not exist\n", said), f"{command}: {said}"


def test_arms_of_one_name_are_the_same_in_all_tables() -> None:
    arms: dict[str, Arm] = {}
    for table in TABLES.values():
        assert len({arm.name for arm in table.arms}) == len({arm.label for arm in table.arms}) == len(table.arms)
        for arm in table.arms:
            assert arms.setdefault(arm.name, arm) == arm


def test_claims_are_about_arms_of_their_table_and_scores_that_are_shown() -> None:
    shown = {f"{task}.{name}" for task, names in SCORES.items() for name in names}
    for table in TABLES.values():
        names = {arm.name for arm in table.arms}
        for claim in table.text.claims:
            assert set(claim.contrast) <= names, claim.words
            assert set(claim.scores) <= shown, claim.words
            assert sum(claim.contrast.values()) == 0, claim.words


def test_pieces_of_one_name_are_the_same_in_all_tables() -> None:
    for name in BUDGETS:
        pieces: dict[str, Piece] = {}
        for letter in TABLES:
            for piece in pieces_of(letter, name, seeds=2):
                assert pieces.setdefault(piece.name, piece) == piece


@pytest.mark.parametrize("name", get_args(BudgetName))
def test_the_control_of_parameters_has_as_many_as_an_rmae(name: BudgetName) -> None:
    counts = []
    [control] = [arm for arm in TABLES["h"].arms if arm.control == "parameters"]
    for arm in (control, RMAE, MAE):
        with torch.device("meta"):
            counts.append(num_trainable_parameters(build_model(model_of(arm, BUDGETS[name]))))
    wider, rmae, mae = counts
    assert abs(wider - rmae) < 0.2 * (rmae - mae)  # widths come in steps


@pytest.mark.parametrize("name", get_args(BudgetName))
def test_the_control_of_time_does_as_much_arithmetic_as_an_rmae(name: BudgetName) -> None:
    macs = [count_macs(model_of(arm, BUDGETS[name])) for arm in (MAE, RMAE)]
    mae, rmae = (each.forward + each.backward for each in macs)
    assert BUDGETS[name].mae_time == pytest.approx(rmae / mae, rel=0.01)


def test_what_sets_an_arm_apart_is_told() -> None:
    arms = {arm.name: arm for table in TABLES.values() for arm in table.arms}
    told = {name: shlex.join(as_arguments(own_flags(arm, BUDGETS["tiny"]))) for name, arm in arms.items()}
    assert {name for name, flags in told.items() if not flags} == {"scratch", "mae", "rae", "rmae"}
    assert told["mae_parameters"] == "--decoder-embed-dim 124"
    assert told["mae_time"] == "--epochs 21"
    assert told["rmae_half"] == "--epochs 7"
    assert told["rmae_l2"] == "--region-loss l2"
    assert told["rae_instances"] == (
        "--regions 'coco-instances --annotations scenes/annotations/instances_train2017.json'"
    )


def test_an_evaluation_waits_for_its_encoder_and_its_data() -> None:
    pieces = {piece.name: piece for piece in pieces_of("a", "tiny")}
    assert set(pieces["segment/rmae/seed_0"].needs) == {"pretrain/rmae/seed_0", "labelled"}
    assert pieces["segment/scratch/seed_0"].needs == ("labelled",)
    assert set(pieces["pretrain/rmae/seed_0"].needs) == {"scenes", "regions/fh.regions"}
    assert pieces["pretrain/mae/seed_0"].needs == ("scenes",)


def test_what_has_random_weights_is_trained_at_the_full_rate_everywhere() -> None:
    for name in BUDGETS:
        pieces = {piece.name: piece.arguments for piece in pieces_of("a", name)}
        assert "--layer-decay" in pieces["segment/scratch/seed_0"]
        assert not any("--layer-decay" in pieces[f"segment/{arm}/seed_0"] for arm in ("mae", "rae", "rmae"))


def test_random_masks_bring_the_regions_that_they_are_matched_to() -> None:
    for letter in ("c", "h"):
        pieces = {piece.name: piece for piece in pieces_of(letter, "tiny")}
        assert "regions/fh.regions" in pieces["regions/random.regions"].needs


def test_interactive_segmentation_is_for_models_with_a_region_branch_alone() -> None:
    names = [piece.name for piece in pieces_of("a", "tiny") if piece.name.startswith("interactive/")]
    assert names == ["interactive/rae/seed_0", "interactive/rmae/seed_0"]


def test_tiny_leaves_out_what_takes_long_unless_it_is_asked_for() -> None:
    table, budget = TABLES["a"], BUDGETS["tiny"]
    assert choose_tasks(table, budget, ()) == ("segment", "knn", "localise", "interactive")
    assert set(choose_tasks(table, budget, ("linear", "detect"))) == set(table.tasks)


def test_a_task_that_a_budget_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="no task 'finetune' to add; there are segment, detect"):
        choose_tasks(TABLES["a"], BUDGETS["tiny"], ("finetune",))


def test_flags_are_written_as_on_the_command_line() -> None:
    flags = {"mask_ratio": 0.5, "compile": False, "resume": True, "crop_scale": (0.2, 1.0), "updates": None, "seed": 3}
    words = "--mask-ratio 0.5 --no-compile --resume --crop-scale 0.2 1 --updates None --seed 3"
    assert shlex.join(as_arguments(flags)) == words
