"""Each option of a small experiment changes its result, or is reported as unused, never both."""

import warnings
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest

from nip.errors import NipWarning, ParameterError
from nip.parameters import HyperParameters, SubParameters, UpdateSchedule
from nip.parameters.parameters_base import field_rules
from tests.experiments import make_params, make_trainer, tiny_graph_agent, tiny_image_agent

CHOICES = {"scenario", "trainer", "dataset", "interaction_protocol", "agents", "plugin_groups"}
OTHER_RUNS = ("base_run", "checkpoint_", "load_checkpoint_and_parameters")
"""Options that need another run."""

NAMED: dict[str, Any] = {
    "update_schedule": {
        "_type": "ContiguousPeriodicUpdateSchedule",
        "ContiguousPeriodicUpdateSchedule": {"period": 2, "start": 0, "stop": 1},
    },
    "loss_terms": ["l2"],
}
"""Values of options that are chosen by name."""

WITHOUT_TRACE = {
    "callbacks": "observers change files, not results",
    "pretrain_agents": "agents of the toy games have no body to pretrain",
    "update_step.on_non_finite": "all losses are finite",
    "solo_agent.body_lr_factor_override": "rates of bodies have the factor 1",
}
"""Options whose effect cannot be seen in weights and metrics of these experiments."""


def options_of(group: SubParameters, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and annotation of each option that can be changed by itself."""
    for name, rule in field_rules(type(group)).items():
        value, dotted = getattr(group, name), f"{path}{name}"
        if name.startswith(OTHER_RUNS) or dotted in CHOICES | WITHOUT_TRACE.keys():
            continue
        if isinstance(value, SubParameters) and not isinstance(value, UpdateSchedule):
            yield from options_of(value, f"{dotted}.")
        else:
            yield dotted, value, rule.annotation


def all_options(params: HyperParameters) -> Iterator[tuple[str, Any, Any]]:
    yield from options_of(params)
    for name, group in params.plugin_groups.items():
        yield from options_of(group, f"{name}.")
    for agent in params.agents.listed_names:
        yield from options_of(params.agents[agent], f"agents.{agent}.")


def kinds_of(annotation: Any) -> list[Any]:
    """Return the members of a union, without their bounds."""
    if get_origin(annotation) is Annotated:
        return kinds_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for each in get_args(annotation) for kind in kinds_of(each)]
    return [annotation]


def other_values(name: str, value: Any, annotation: Any) -> list[Any]:
    """Return values to try, not all of which need be accepted."""
    if (last := name.rpartition(".")[2]) in NAMED:
        return [NAMED[last]]
    found: list[Any] = []
    number = 2 if isinstance(value, bool) or not isinstance(value, int | float) else value
    for kind in kinds_of(annotation):
        if kind is bool:
            found += [True, False]
        elif kind is int:
            found += [number + 1, number * 2, 1]
        elif kind is float:
            found += [number * 0.5, number * 2 + 0.125, 0.25]
        elif get_origin(kind) is Literal:
            found += get_args(kind)
    return [each for each in found if each != value or type(each) is not type(value)]


def result_of(params: HyperParameters, data_dir: Any) -> list[Any]:
    """Train, and return all metrics and weights, or the message of a refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        try:
            trainer = make_trainer(params, data_dir)
            trainer.train()
        except ParameterError as error:
            return [str(error)]
    weights = sorted(trainer.agents.state_dict().items())
    return [trainer.history.to_dict(), *((name, value.tolist()) for name, value in weights)]


def changed(params: HyperParameters, name: str, value: Any) -> tuple[HyperParameters, bool]:
    """Return changed parameters, and whether the change is reported as unused."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NipWarning)
        other = params.with_changes({name: value})
    return other, any(str(each.message).startswith(f"{name}=") for each in caught)


def problems_with(params: HyperParameters, data_dir: Any) -> Iterator[str]:
    """Change each option, and yield those whose report and effect do not fit each other."""
    usual = repr(result_of(params, data_dir))
    assert repr(result_of(params, data_dir)) == usual
    for name, value, annotation in all_options(params):
        tried = []
        for other_value in other_values(name, value, annotation):
            try:
                other, is_reported = changed(params, name, other_value)
            except ParameterError:
                continue
            tried.append(other_value)
            has_effect = repr(result_of(other, data_dir)) != usual
            if has_effect and is_reported:
                yield f"{name}={other_value!r} is reported, but has an effect"
            if has_effect or is_reported:
                break
        else:
            if tried:
                yield f"{name} has no effect and is not reported, with {tried}"


def _toy_game(trainer: str) -> HyperParameters:
    """Return an experiment that is long enough for clipping and for episodes without a decision."""
    return make_params(
        "toy",
        trainer,
        "nip",
        rl={"lr": 0.1, "rollouts_per_iteration": 32, "minibatch_size": 32},
        agents={name: {"d_hidden": 3} for name in ("prover", "verifier")},
    )


EXPERIMENTS = {
    "solo_agent": lambda: make_params(
        "toy",
        "solo_agent",
        agents={name: {"d_hidden": 3} for name in ("prover", "verifier")},
        solo_agent={"num_epochs": 3, "batch_size": 4, "learning_rate": 0.01},
    ),
    "vanilla_ppo": lambda: _toy_game("vanilla_ppo"),
    "reinforce": lambda: _toy_game("reinforce"),
    "games": lambda: make_params(
        "matrix_games",
        "spg",
        "nip",
        dataset="iterated_prisoners_dilemma",
        matrix_games={"losses": "rollouts", "num_rollouts": 8, "num_rounds": 4},
        spg={"variant": "spg"},
    ),
    "images": lambda: make_params(
        "image_classification",
        protocol="nip",
        # Networks that predict labels from messages need some episodes to train on and to test.
        rl={"rollouts_per_iteration": 16, "minibatch_size": 32},
        agents={name: tiny_image_agent() for name in ("prover", "verifier")},
    ),
    "graphs": lambda: make_params(
        "graph_isomorphism",
        protocol="nip",
        agents={name: tiny_graph_agent() for name in ("prover", "verifier")},
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        "solo_agent",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("vanilla_ppo", "reinforce", "games", "graphs", "images")
        ),
    ],
)
def test_every_option_has_an_effect_or_is_reported(name, data_dir):
    assert list(problems_with(EXPERIMENTS[name](), data_dir)) == []
