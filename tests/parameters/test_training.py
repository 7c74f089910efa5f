"""Parameters of the optimizer, its schedule and its steps."""

from typing import Any

import pytest

from nip.errors import ParameterError
from nip.parameters import (
    AgentOptimizerParameters,
    HyperParameters,
    LrSchedulerParameters,
    OptimizerParameters,
    UpdateStepParameters,
    field_rules,
)
from tests.parameters.examples import make_tree

LOADED = {"load_checkpoint_and_parameters": True}

MISTAKES: list[tuple[dict[str, Any], str]] = [
    (
        {"optimizer": {"name": "adamm"}},
        "optimizer.name must be one of 'adam', 'adamw', 'sgd', 'rmsprop', 'adagrad', 'radam', "
        "'nadam', got 'adamm'. Did you mean 'adam'? The default is 'adam'.",
    ),
    (
        {"optimizer": {"beta1": 1.0}},
        "optimizer.beta1 must be a finite number, at least 0 and below 1, or None, got 1.0. The "
        "default is None.",
    ),
    (
        {"optimizer": {"name": "sgd", "nesterov": True}},
        "optimizer.nesterov=True needs optimizer.momentum above 0, got None. Set "
        "optimizer.momentum=0.9, or optimizer.nesterov=False.",
    ),
    (
        {"optimizer": {"name": "sgd", "nesterov": True, "momentum": 0}},
        "optimizer.nesterov=True needs optimizer.momentum above 0, got 0.0. Set "
        "optimizer.momentum=0.9, or optimizer.nesterov=False.",
    ),
    (
        {"optimizer": "sgd"},
        "optimizer must be OptimizerParameters, a mapping of its fields, or None, got 'sgd'.",
    ),
    (
        {"agents": {"prover": {"optimizer": {"lr": 0}}}},
        "agents.prover.optimizer.lr must be a finite number, above 0, or None, got 0. The default "
        "is None.",
    ),
    (
        {"agents": {"prover": {"optimizer": {"alpha": 0.5}}}},
        "There is no parameter 'agents.prover.optimizer.alpha'. Known here: lr, "
        "weight_decay, beta1, beta2, eps, momentum.",
    ),
    (
        {"lr_scheduler": {"name": "one_cycle", "num_warmup": 3}},
        "lr_scheduler.num_warmup must be 0 with lr_scheduler.name='one_cycle', which has a "
        "warm-up of its own, got 3. Use lr_scheduler.pct_start instead.",
    ),
    (
        {"lr_scheduler": {"name": "linear", "num_warmup": 3, "total": 3}},
        "lr_scheduler.num_warmup must be below lr_scheduler.total (3), got 3. Lower it, or raise "
        "the total.",
    ),
    (
        {"lr_scheduler": {"name": "multistep"}},
        "lr_scheduler.milestones must not be empty with lr_scheduler.name='multistep', got (). "
        "Give the intervals at which the learning rate decays, for example [100,200].",
    ),
    (
        {"lr_scheduler": {"name": "multistep", "milestones": [3, 3]}},
        "lr_scheduler.milestones must be strictly increasing, got [3, 3]. Sort them, and remove "
        "duplicates.",
    ),
    (
        {"lr_scheduler": {"name": "cosine"}, "rl": {"anneal_lr": True}},
        "rl.anneal_lr=True is the schedule lr_scheduler.name='linear', got "
        "lr_scheduler.name='cosine' as well. Set rl.anneal_lr=False.",
    ),
    (
        {"update_step": {"precision": "float8"}},
        "update_step.precision must be one of 'float32', 'bfloat16', 'float16', got 'float8'. Did "
        "you mean 'float32'? The default is 'float32'.",
    ),
    (
        {"update_step": {"num_accumulation_steps": 0}},
        "update_step.num_accumulation_steps must be an integer, at least 1, got 0. The default is "
        "1.",
    ),
    (
        {"update_step": {"max_grad_value": 0}},
        "update_step.max_grad_value must be a finite number, above 0, or None, got 0. The default "
        "is None.",
    ),
    (
        {"eval_every": 0},
        "eval_every must be an integer, at least 1, or None, got 0. The default is None.",
    ),
    (
        {"agents": {"prover": LOADED}},
        "agents.prover.checkpoint_run_id must name a run for "
        "agents.prover.load_checkpoint_and_parameters=True, got None. Give the name of a run.",
    ),
]


@pytest.mark.parametrize(("given", "message"), MISTAKES)
def test_a_mistake_names_value_rule_and_way_out(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(**given)
    assert str(caught.value) == message


def test_what_nobody_sets_is_left_to_pytorch() -> None:
    """So that a new default there is a new default here, and none is copied wrongly."""
    tree = make_tree()
    for group in (tree.optimizer, tree.agents["prover"].optimizer):
        numbers = [getattr(group, name) for name in field_rules(type(group)) if name != "name"]
        assert set(numbers) <= {None, False}
    assert tree.optimizer.name == "adam"
    assert tree.lr_scheduler.name == "constant"
    assert tree.update_step == UpdateStepParameters(None, 1, "float32", "raise")
    assert (tree.eval_every, tree.callbacks, tree.loss_terms) == (None, (), ())


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("optimizer", OptimizerParameters("sgd", momentum=0.5, nesterov=True, weight_decay=0.1)),
        ("lr_scheduler", LrSchedulerParameters("multistep", milestones=(2, 5), gamma=0.5)),
        ("lr_scheduler", LrSchedulerParameters("cosine", "step", num_warmup=2, total=9)),
        ("update_step", UpdateStepParameters(0.5, 3, "bfloat16", "stop")),
    ],
)
def test_groups_survive_the_way_through_dictionary_and_yaml(name: str, group: Any) -> None:
    tree = make_tree(**{name: group})
    assert tree == make_tree(**{name: group.to_dict()})
    assert HyperParameters.from_dict(tree.to_dict()).get(name) == group
    assert HyperParameters.from_yaml(tree.to_yaml()).get(name) == group


def test_agents_have_options_of_their_own() -> None:
    tree = make_tree(agents={"prover": {"optimizer": {"lr": 0.5, "beta1": 0.8}}})
    read = HyperParameters.from_yaml(tree.to_yaml())
    own = AgentOptimizerParameters(lr=0.5, beta1=0.8)
    assert read.get("agents.prover.optimizer") == own
    assert read.get("agents.verifier.optimizer") == AgentOptimizerParameters()
