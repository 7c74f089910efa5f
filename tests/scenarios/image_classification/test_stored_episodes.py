"""Episodes that a run has written are found again, with their images."""

import re

import pytest
import torch

from nip.commands.draw_images import main
from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.run import run_experiment
from nip.scenarios.image_classification.dataset import load_images
from nip.scenarios.image_classification.stored_episodes import read_episodes
from tests.experiments import make_params, make_settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Run two iterations, and write three episodes of each."""
    runs = tmp_path_factory.mktemp("runs")
    params = make_params(
        "image_classification",
        callbacks=[{"name": "rollout_samples", "every": 1, "num_rollouts": 3, "split": "train"}],
    )
    run_experiment(params, settings=make_settings(runs), run_id="small")
    return runs / "small"


def test_episodes_come_with_their_images(folder) -> None:
    stored = read_episodes(folder)
    assert stored.iteration == 2
    assert len(stored.episodes) == 3
    assert stored.grid == (4, 4)
    params = make_params("image_classification")
    dataset = load_images(params, ExperimentSettings(), "train")
    for episode, image in zip(stored.episodes, stored.images, strict=True):
        row = episode["datapoint_id"]
        assert torch.equal(dataset["image"][row], torch.from_numpy(image))
        assert dataset["y"][row] == episode["label"]


def test_an_iteration_and_a_number_can_be_chosen(folder) -> None:
    stored = read_episodes(folder, iteration=1, limit=2)
    assert (stored.iteration, len(stored.episodes)) == (1, 2)


def test_an_iteration_without_episodes_is_refused_with_those_that_have(folder) -> None:
    with pytest.raises(ParameterError, match=r"no episodes of iteration 7\. It has those of 1, 2"):
        read_episodes(folder, iteration=7)


def test_the_script_draws_them(folder, tmp_path, capsys) -> None:
    output = tmp_path / "pictures" / "episodes.png"
    assert main([str(folder), "--limit", "2", "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"Episodes: {output}\n"
    assert output.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("scenario", "message"),
    [("toy", "has no images"), ("image_classification", r"callbacks=\[rollout_samples\]")],
)
def test_runs_without_such_episodes_are_refused(tmp_path, capsys, scenario, message) -> None:
    params = make_params(scenario, rl={"num_iterations": 1})
    run_experiment(params, settings=make_settings(tmp_path), run_id="other")
    with pytest.raises(ParameterError, match=message):
        read_episodes(tmp_path / "other")
    assert main(["other", "--runs-dir", str(tmp_path)]) == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["", "3", "[]", "{", "[3]", "[{rounds: []}]", "[" * 3000, "!!python/name:os.system x"]
)
def test_other_content_is_refused(folder, text: str) -> None:
    path = folder / "rollouts" / "iteration_000001.yaml"
    before = path.read_text()
    path.write_text(text)
    try:
        with pytest.raises(ParameterError, match=r"iteration_000001\.yaml(?s:.*)Restore it from"):
            read_episodes(folder, iteration=1)
        path.write_text(re.sub("datapoint_id: .*", "datapoint_id: 1000000000", before))
        with pytest.raises(ParameterError, match="names images that"):
            read_episodes(folder, iteration=1)
    finally:
        path.write_text(before)
