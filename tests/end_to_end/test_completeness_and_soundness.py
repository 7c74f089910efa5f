"""Completeness, soundness and the worst question, in training, test and result of all protocols."""

import json
from pathlib import Path
from typing import Any

import pytest

from nip.protocols import protocol_registry
from nip.run import run_experiment
from nip.run_store import read_history
from tests.experiments import make_params, make_settings

QUANTITIES = {"completeness", "soundness", "worst_datapoint_accuracy", "mean_accuracy"}
OF_SPEAKERS = {"speaker_completeness", "speaker_soundness"}


def outcome(folder: Path, protocol: str, **changes: Any) -> tuple[dict[str, Any], set[str]]:
    """Return the metrics in ``result.json``, and the names of all metrics that were logged."""
    params = make_params(
        protocol=protocol, rl={"rollouts_per_iteration": 32, "minibatch_size": 32}, **changes
    )
    run_experiment(params, run_id="run", settings=make_settings(folder))
    result = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    return result["metrics"], set(read_history(folder / "run").names())


@pytest.mark.parametrize("zero_knowledge", [False, True], ids=["", "zero_knowledge"])
@pytest.mark.parametrize("protocol", protocol_registry.names())
def test_they_are_in_training_test_and_result(protocol, zero_knowledge, tmp_path) -> None:
    common = {"zero_knowledge": zero_knowledge}
    metrics, logged = outcome(tmp_path, protocol, protocol_common=common)
    wanted = QUANTITIES | (OF_SPEAKERS if protocol == "merlin_arthur" else set())
    assert wanted <= logged
    assert {f"test_{name}" for name in wanted} <= logged
    assert wanted | {f"test_{name}" for name in wanted} <= set(metrics)
    assert all(0 <= metrics[f"test_{name}"] <= 1 for name in wanted)
    assert metrics["test_worst_datapoint_accuracy"] <= metrics["test_mean_accuracy"]
    if protocol != "merlin_arthur":
        assert not OF_SPEAKERS & logged


@pytest.mark.parametrize(
    ("guess", "completeness", "soundness"), [("y", 1, 1), ("one", 1, 0), ("zero", 0, 1)]
)
def test_they_are_those_of_the_decision(guess, completeness, soundness, tmp_path) -> None:
    metrics, _ = outcome(tmp_path, "merlin_arthur", protocol_common={"force_guess": guess})
    assert metrics["test_completeness"] == completeness
    assert metrics["test_soundness"] == soundness
    assert metrics["test_worst_datapoint_accuracy"] == min(completeness, soundness)
    # A verifier that ignores who speaks is as complete, and as sound, as on its worse label.
    assert metrics["test_speaker_completeness"] == min(completeness, soundness)
    assert metrics["test_speaker_soundness"] == min(completeness, soundness)
