"""Choices that cannot have the effect that they are made for are said, and no others."""

import warnings
from typing import Any

import pytest

from nip.errors import NipWarning
from nip.experiment.checks import check_experiment
from nip.experiment.meaningless import meaningless_choices
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
from tests.experiments import make_params
from tests.text_experiments import make_text_params

RUN = {"eval_every": 1}
STOPPING = {"name": "early_stopping", "monitor": "mean_accuracy"}
NO_REWARDS = {
    "prover_reward": 0,
    "verifier_reward": 0,
    "verifier_incorrect_penalty": 0,
    "verifier_terminated_penalty": 0,
}
LATE = {
    "_type": "ContiguousPeriodicUpdateSchedule",
    "ContiguousPeriodicUpdateSchedule": {"period": 9, "start": 4, "stop": 9},
}
FROZEN = {"agent_lr_factor": {"actor": 0, "critic": 0}}


def said(hyper_params: HyperParameters, **settings: Any) -> list[str]:
    """Return the messages about an experiment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        protocol = build_protocol_handler(hyper_params)
    return list(meaningless_choices(hyper_params, ExperimentSettings(**settings), protocol))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"callbacks": [{"name": "rollout_samples", "every": 3}]}, "callbacks[0].every=3 is bey"),
        ({"callbacks": ["rollout_samples"]}, "callbacks[0].every=100 is beyond the 2 iterations"),
        ({"callbacks": ["csv", "profiler"]}, "callbacks[1].wait + callbacks[1].warmup=2 is beyond"),
        (
            {"callbacks": ["silent_prover"]},
            "callbacks[0].warmup + callbacks[0].window=25 is beyond the 2 iterations",
        ),
        (
            {"opponent_pool": {"agents": ["prover"]}},
            "opponent_pool.snapshot_every=10 is beyond the 2 iterations",
        ),
        (
            {"callbacks": [STOPPING | {"patience": 2}]},
            "patience=2 is never used up by the 2 ",
        ),
        ({"callbacks": [STOPPING | {"threshold": 1.01}]}, "threshold=1.01 is never reached by"),
        ({"callbacks": [STOPPING | {"threshold": 0}]}, "threshold=0.0 is reached by every value"),
        ({"callbacks": [STOPPING | {"threshold": -0.1, "mode": "min"}]}, "is never reached by"),
        ({"callbacks": [STOPPING | {"threshold": 1, "mode": "min"}]}, "is reached by every value"),
        ({"callbacks": [STOPPING | {"divergence": 0}]}, "divergence=0.0 is never undercut"),
        ({"callbacks": [STOPPING | {"divergence": 1.5}]}, "divergence=1.5 is worse than no value"),
        ({"lr_scheduler": {"name": "step", "step_size": 2}}, "lr_scheduler.step_size=2 is beyond"),
        ({"lr_scheduler": {"name": "multistep", "milestones": [5, 7]}}, "lr_scheduler.milestones="),
        ({"lr_scheduler": {"name": "cosine", "total": 3}}, "does not reach its end"),
        ({"update_step": {"num_accumulation_steps": 9}}, "num_accumulation_steps=9 is more than "),
        ({"protocol_common": NO_REWARDS}, "All rewards of all agents are 0"),
        ({"agents": {"_default": {"is_random": True}}}, "No agent learns in this run: prover is r"),
        ({"agents": {"_default": FROZEN}}, "prover has an agent_lr_factor of 0, verifier has"),
        ({"agents": {"_default": {"update_schedule": LATE}}}, "an update_schedule without an iter"),
        ({"agents": {"prover": {"is_random": True}, "verifier": FROZEN}}, "prover is random, ver"),
    ],
)
def test_choices_without_effect_are_said(changes: dict[str, Any], message: str) -> None:
    # Eight minibatches: four environments of two rounds in minibatches of two, twice.
    found = said(make_params(rl={"minibatch_size": 2}, **changes))
    assert len(found) == 1
    assert message in found[0]


def test_a_text_run_in_which_no_model_is_fine_tuned_is_said() -> None:
    frozen = {"freeze_agent": True}
    assert "No agent learns in this run" in said(make_text_params(every_agent=frozen))[0]
    assert said(make_text_params(every_agent=frozen, rl={"num_iterations": 1})) == []
    assert said(make_text_params()) == []


def test_checkpoints_after_the_end_are_said() -> None:
    settings = {"checkpoint_period": 3, "permanent_every": 5}
    found = said(make_params(), **settings)
    assert [message.split(" ")[0] for message in found] == [
        "settings.checkpoint_period=3",
        "settings.permanent_every=5",
    ]
    assert said(make_text_params(), **settings) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"callbacks": [{"name": "rollout_samples", "every": 2}, STOPPING | {"patience": 1}]},
        {"callbacks": [STOPPING | {"threshold": 1, "divergence": 0.1}]},
        {"callbacks": [STOPPING | {"monitor": "prover.mean_episode_reward", "threshold": 7}]},
        {"lr_scheduler": {"name": "step", "step_size": 1}},
        {"lr_scheduler": {"name": "step", "step_size": 9, "interval": "step"}},
        {"lr_scheduler": {"name": "multistep", "milestones": [1, 7]}},
        {"update_step": {"num_accumulation_steps": 8}},
        {"protocol_common": {**NO_REWARDS, "verifier_no_guess_reward": 0.1}},
        {"agents": {"prover": {"is_random": True}}},
        {"agents": {"_default": FROZEN, "verifier": {}}},
        {
            "agents": {"_default": {"agent_lr_factor": {"actor": 0}}},
            "rl": {"use_shared_body": False},
        },
        {"trainer": "solo_agent", "protocol_common": NO_REWARDS},
        {"rl": {"frames_per_batch": None, "rollouts_per_iteration": None}},
    ],
)
def test_choices_with_an_effect_are_not_mentioned(changes: dict[str, Any]) -> None:
    assert said(make_params(**{"rl": {"minibatch_size": 2}, **changes})) == []


def test_the_checks_of_an_experiment_warn() -> None:
    params = make_params(protocol_common=NO_REWARDS)
    with pytest.warns(NipWarning, match="All rewards of all agents are 0"):
        check_experiment(params, ExperimentSettings())
