"""Parameters of the callbacks."""

from typing import Any

import pytest

from nip.errors import ParameterError
from nip.parameters import HyperParameters, field_rules
from nip.parameters.callbacks import (
    AverageAgentWeightsParameters,
    BestCheckpointParameters,
    EarlyStoppingParameters,
    WandbParameters,
    callback_specs,
)
from tests.parameters.examples import make_tree

TEXT = {"scenario": "code_validation", "trainer": "pure_text_ei", "dataset": "test"}
TESTED = {"text_rl": {"test_scheme": "all"}}


@pytest.mark.parametrize("name", callback_specs.names())
def test_every_callback_is_chosen_by_its_name(name: str) -> None:
    given: dict[str, Any] = {"name": name}
    cls = callback_specs[name].parameters
    if "agents" in field_rules(cls):
        given["agents"] = ["prover", "verifier"]
    (part,) = make_tree(callbacks=[given], eval_every=1).callbacks
    assert type(part) is cls
    assert part.name == name
    assert set(part.options) == set(field_rules(cls)) - {"name"}


def test_those_that_only_look_on_are_known() -> None:
    """Runs may go on with these or without, and only the first of several processes has them."""
    observers = {name for name, facts in callback_specs.items() if facts.is_observer}
    builtin = {"csv", "tensorboard", "wandb", "rollout_samples", "profiler", "attack"}
    builtin_actors = {"early_stopping", "best_checkpoint", "average_agent_weights"}
    builtin_actors |= {"constant_verifier", "label_leak", "silent_prover"}
    assert builtin <= observers
    assert not builtin_actors & observers


STARTED_ALONE = "EarlyStoppingParameters.patience must be an integer, at least 1, got 0."


def test_options_are_checked_when_they_are_made_alone() -> None:
    with pytest.raises(ParameterError) as caught:
        EarlyStoppingParameters(patience=0)
    assert str(caught.value).startswith(STARTED_ALONE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"name": "early_stopping", "monitor": "a", "mode": "maximum"},
            "callbacks[0].mode must be one of 'max', 'min', got 'maximum'. Did you mean 'max'? "
            "The default is 'max'.",
        ),
        (
            {"name": "early_stopping", "monitor": "a", "threshold": 0.5, "divergence": 0.9},
            "callbacks[0].threshold must be better than callbacks[0].divergence (0.9) in the sense "
            "of callbacks[0].mode='max', got 0.5. Swap them, or choose the other mode.",
        ),
        (
            {
                "name": "early_stopping",
                "monitor": "a",
                "mode": "min",
                "threshold": 0.5,
                "divergence": 0.5,
            },
            "callbacks[0].threshold must be better than callbacks[0].divergence (0.5) in the sense "
            "of callbacks[0].mode='min', got 0.5. Swap them, or choose the other mode.",
        ),
        (
            {"name": "average_agent_weights", "agents": ["prover", "prover"]},
            "callbacks[0].agents must name at least two agents, got ['prover', 'prover']. Give for "
            "example [prover0,prover1].",
        ),
        (
            "early_stopping",
            "callbacks[0].monitor='test_mean_accuracy' is a metric of evaluations, but eval_every "
            "is None, so there are none during training. Set eval_every=1 or more, or monitor a "
            "metric of training.",
        ),
        (
            {"name": "best_checkpoint", "monitor": "test_soundness"},
            "callbacks[0].monitor='test_soundness' is a metric of evaluations, but eval_every is "
            "None, so there are none during training. Set eval_every=1 or more, or monitor a "
            "metric of training.",
        ),
    ],
)
def test_a_mistake_names_value_rule_and_way_out(given: Any, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(callbacks=[given])
    assert str(caught.value) == message


def test_a_metric_of_tests_that_there_are_none_of_is_refused_for_texts_too() -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(**TEXT, callbacks=["early_stopping"])
    assert str(caught.value) == (
        "callbacks[0].monitor='test_mean_accuracy' is a metric of tests, but text_rl.test_scheme "
        "is 'none'. Set text_rl.test_scheme=all, or monitor a metric of training."
    )


def test_language_models_have_no_best_checkpoint() -> None:
    with pytest.raises(ParameterError, match=r"callbacks\[0\]: best_checkpoint keeps weights of"):
        make_tree(**TEXT, **TESTED, callbacks=["best_checkpoint"])


@pytest.mark.parametrize(
    "given",
    [
        {"callbacks": ["early_stopping"], "eval_every": 5},
        {"callbacks": [{"name": "best_checkpoint", "monitor": "mean_accuracy"}]},
        {**TEXT, **TESTED, "callbacks": ["early_stopping"]},
        {**TEXT, "callbacks": [{"name": "early_stopping", "monitor": "mean_accuracy"}]},
        {
            "callbacks": [
                {"name": "early_stopping", "monitor": "a", "threshold": 0.9, "divergence": 0.5},
                {
                    "name": "early_stopping",
                    "monitor": "a",
                    "mode": "min",
                    "threshold": 0.5,
                    "divergence": 0.9,
                },
            ]
        },
    ],
)
def test_what_can_be_watched_is_accepted(given: dict[str, Any]) -> None:
    make_tree(**given)


@pytest.mark.parametrize(
    "part",
    [
        EarlyStoppingParameters(monitor="a", mode="min", threshold=0.1, save_best=False),
        BestCheckpointParameters(monitor="b", min_delta=0.5),
        WandbParameters(project="p", tags=("x", "y"), log_rollouts=True),
        AverageAgentWeightsParameters(agents=("prover", "verifier"), server_momentum=0.5),
    ],
)
def test_options_survive_the_way_through_yaml(part: Any) -> None:
    tree = make_tree(callbacks=[part])
    assert tree.callbacks == (part,)
    assert HyperParameters.from_yaml(tree.to_yaml()).callbacks == (part,)
