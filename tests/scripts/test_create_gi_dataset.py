"""The script that creates datasets of graph pairs."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from nip.commands.graph_isomorphism_dataset import main
from nip.scenarios.graph_isomorphism.pair_files import read_split
from tests.scripts.command_lines import error_of

SMALL = ["--num-train", "40", "--num-test", "20", "--sizes", "7", "8"]


def test_a_dataset_is_made_and_reported(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mine", *SMALL, "--seed", "5"]) == 0
    folder = Path("data/graph_isomorphism/mine")
    train, test = read_split(folder, "train"), read_split(folder, "test")
    assert [(pairs.wl_scores == -1).sum() for pairs in (train, test)] == [20, 10]
    assert set(train.sizes.flat) == {7, 8}
    stored = json.loads((folder / "metadata.json").read_text())
    assert (stored["seed"], stored["num_train"], stored["num_test"]) == (5, 40, 20)
    assert stored["sizes"] == [7, 8]
    assert stored["edge_probabilities"] == [0.2, 0.4, 0.6, 0.8]
    rows = capsys.readouterr().out.splitlines()
    assert next(row for row in rows if "isomorphic" in row).split("│")[2:4] == ["    20 ", "   10 "]
    assert rows[-1] == "Written to data/graph_isomorphism/mine"


def test_the_same_seed_makes_the_same_files(working_folder: Path) -> None:
    for name, seed in (("first", "1"), ("again", "1"), ("other", "2")):
        assert main([name, *SMALL, "--seed", seed]) == 0
    first, again, other = (
        Path(f"data/graph_isomorphism/{name}/raw/train/data.safetensors").read_bytes()
        for name in ("first", "again", "other")
    )
    assert first == again
    assert first != other


def test_the_published_mix_of_scores_can_be_asked_for(working_folder: Path) -> None:
    options = ["--num-train", "1000", "--num-test", "2", "--score-fractions", "0.08", "0.2"]
    assert main(["published", *options]) == 0
    stored = load_file("data/graph_isomorphism/published/raw/train/data.safetensors")
    scores = stored["wl_scores"].tolist()
    assert [scores.count(score) for score in (-1, 1, 2)] == [500, 40, 100]


def test_an_existing_dataset_is_replaced_only_on_demand(
    working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mine", *SMALL]) == 0
    assert "exists already" in error_of(main, ["mine", *SMALL, "--seed", "1"], capsys)
    assert main(["mine", *SMALL, "--seed", "1", "--overwrite"]) == 0
    stored = json.loads(Path("data/graph_isomorphism/mine/metadata.json").read_text())
    assert stored["seed"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: name"),
        (["../mine"], "cannot be the name of a dataset"),
        (["mine", "--num-tran", "4"], "unrecognized arguments: --num-tran 4"),
        (["mine", "--num-train", "many"], "invalid int value: 'many'"),
        (["mine", "--num-test", "0"], "number of test pairs must be at least 2"),
        (["mine", "--sizes", "7", "7"], "sizes must be different numbers"),
        (["mine", "--edge-probabilities", "1.5"], "between 0 and 1"),
        (["mine", "--score-fractions", "0.9", "0.9"], "sum up to at most 1"),
    ],
)
def test_nonsense_gives_one_message_and_nothing_is_written(
    working_folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert message in error_of(main, arguments, capsys)
    assert not list(working_folder.iterdir())


def test_interruption_leaves_nothing(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nip.scenarios.graph_isomorphism.generation.refinement_scores", interrupt)
    assert main(["mine", *SMALL]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert not list(working_folder.iterdir())
