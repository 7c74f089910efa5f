"""The order of the stages, and the round trip of the state."""

import json

import pytest

from nip.trainers.text.state import STAGES, TextTrainerState


def stages_of_run(num_iterations):
    """Go through a run in which each group gets a new model after each iteration."""
    state, seen = TextTrainerState(models=({"prover": "m0"},)), []
    while not state.is_done:
        seen.append((state.iteration, state.stage, state.models[-1]["prover"]))
        assert len(seen) < 100
        is_over = state.stage == "await_fine_tune_jobs"
        model = f"m{state.iteration + is_over}"
        state = state.after_stage(num_iterations, {"prover": model})
    return seen, state


def test_the_last_iteration_samples_logs_and_tests_only():
    seen, state = stages_of_run(2)
    assert seen == [
        (0, "sample_rollouts", "m0"),
        (0, "log_stats", "m0"),
        (0, "test_during_training", "m0"),
        (0, "create_fine_tune_jobs", "m0"),
        (0, "await_fine_tune_jobs", "m0"),
        (1, "sample_rollouts", "m1"),
        (1, "log_stats", "m1"),
        (1, "test_during_training", "m1"),
    ]
    assert state.stage == "done"
    assert state.iteration == 1


def test_a_single_iteration_trains_nothing():
    seen, state = stages_of_run(1)
    assert [stage for _, stage, _ in seen] == [
        "sample_rollouts",
        "log_stats",
        "test_during_training",
    ]
    assert state.is_done


def test_the_models_of_every_iteration_are_remembered():
    _, state = stages_of_run(4)
    assert [models["prover"] for models in state.models] == ["m0", "m1", "m2", "m3"]


@pytest.mark.parametrize("stage", [*STAGES, "done"])
def test_a_state_survives_being_stored(stage):
    state = TextTrainerState(models=({"a": "m0"}, {"a": "m1"}), stage=stage)
    assert TextTrainerState.from_dict(json.loads(json.dumps(state.to_dict()))) == state
