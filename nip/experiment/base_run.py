"""Runs that begin with what another run has left: its parameters, or its models to test again.

A value counts as given if it differs from its default. So with ``base_run_type="parameters"`` a
parameter at its default is taken from the base run, and any other value wins over it. To give a
parameter its default back, change the stored tree itself: ``HyperParameters.from_yaml(Path(
"runs/<base>/hyper_params.yaml")).with_changes({...})``.
"""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nip.errors import NipWarning, ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, trainer_specs
from nip.parameters.agents import DEFAULT_AGENT, NO_AGENTS
from nip.parameters.base_run import PRESERVED_FOR_RERUN_TESTS
from nip.parameters.tree.difference import difference
from nip.run_store.reading import read_parameters

_REQUIRED = ("scenario", "trainer", "dataset")

Tree = dict[str, Any]


def apply_base_run(hyper_params: HyperParameters, settings: ExperimentSettings) -> HyperParameters:
    """Return the parameters that a run has when those of its base run are taken over.

    Applying it a second time changes nothing.

    Parameters
    ----------
    hyper_params : HyperParameters
        What was given; its group ``base_run`` says what is taken from where.
    settings : ExperimentSettings
        Its ``runs_dir`` is where the base run lies.

    Returns
    -------
    hyper_params : HyperParameters
        The same object if there is no base run.

    Raises
    ------
    ParameterError
        If the base run does not exist or does not fit, or, with ``rerun_tests``, if a parameter
        was given that would have to be the base run's.
    """
    kind = hyper_params.base_run.base_run_type
    if kind == "none":
        return hyper_params
    base = read_base_run(Path(settings.runs_dir), str(hyper_params.base_run.run_id))
    if kind == "parameters":
        return _with_parameters_of(base, hyper_params)
    merged = _with_tests_of(base, hyper_params)
    _check_something_to_test(merged, settings)
    return merged


def read_base_run(runs_dir: Path, run_id: str) -> HyperParameters:
    """Read the parameters of another run.

    Raises
    ------
    ParameterError
        If there is no such run, or its parameters cannot be read any more.
    """
    try:
        with warnings.catch_warnings():
            # Whoever began that run has seen them.
            warnings.simplefilter("ignore", NipWarning)
            return HyperParameters.from_dict(read_parameters(runs_dir / run_id))
    except ParameterError as error:
        raise ParameterError(f"base_run.run_id={run_id!r}: {error}") from error


def _with_parameters_of(base: HyperParameters, given: HyperParameters) -> HyperParameters:
    run_id = given.base_run.run_id
    if base.scenario != given.scenario:
        raise ParameterError(
            f"base_run.run_id={run_id!r} is a run of scenario={base.scenario!r} with trainer="
            f"{base.trainer!r}, which has no parameters for scenario={given.scenario!r} with "
            f"trainer={given.trainer!r}. Give the same scenario, or choose another run."
        )
    trees = _comparable(base.to_dict(), given.to_dict(), _defaults(given))
    return HyperParameters.from_dict({**merge(*trees), "base_run": given.base_run.to_dict()})


def _with_tests_of(base: HyperParameters, given: HyperParameters) -> HyperParameters:
    run_id = given.base_run.run_id
    if problem := _why_not_to_be_tested(base):
        raise ParameterError(f"base_run.run_id={run_id!r} cannot be tested again: {problem}")
    old, new, default = _comparable(base.to_dict(), given.to_dict(), _defaults(given))
    changed = {each.name: each for each in difference(old, new) if not _is_preserved(each.name)}
    is_given = {each.name for each in difference(default, new)}
    problems = [str(changed[name]) for name in changed if name in is_given]
    if problems:
        listing = "\n".join(f"    {problem}" for problem in problems)
        raise ParameterError(
            f"With base_run.base_run_type='rerun_tests' these parameters are those of run "
            f"{run_id!r}, and cannot be given other values (its value → given):\n{listing}\n"
            f"Leave them out. New values are possible for {', '.join(PRESERVED_FOR_RERUN_TESTS)}."
        )
    preserved = {
        name: given.get(name).to_dict() if name == "base_run" else given.get(name)
        for name in PRESERVED_FOR_RERUN_TESTS
    }
    return base.with_changes(preserved)


def _why_not_to_be_tested(base: HyperParameters) -> str | None:
    if trainer_specs[base.trainer].data != "text":
        return (
            f"rerun_tests goes through the states of trainers of language models, got trainer="
            f"{base.trainer!r}. Use base_run.base_run_type=parameters to train with its parameters."
        )
    if base.base_run.base_run_type == "rerun_tests":
        return (
            f"it only tests the models of run {base.base_run.run_id!r} itself. Name that one "
            "instead."
        )
    return None


def _check_something_to_test(hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
    # What trainers need is imported where it is needed.
    from nip.trainers.text.data_order import is_tested
    from nip.trainers.text.rerun_tests import models_of_base_run

    models = models_of_base_run(hyper_params, settings)
    if not any(is_tested(hyper_params, iteration) for iteration in range(len(models))):
        raise ParameterError(
            "Nothing would be tested: base_run.rerun_tests_force_test_during_training_state=False "
            f"leaves it to text_rl.test_scheme, got {hyper_params.text_rl.test_scheme!r}, and the "
            f"base run has {len(models)} of {hyper_params.rl.num_iterations} iterations. Set it to "
            "True, or choose another test_scheme."
        )


def _is_preserved(name: str) -> bool:
    return any(name == kept or name.startswith(f"{kept}.") for kept in PRESERVED_FOR_RERUN_TESTS)


def _defaults(given: HyperParameters) -> Tree:
    """Write the tree that somebody gets who gives nothing; what is required is not in it."""
    tree = HyperParameters(
        scenario=given.scenario,
        trainer=given.trainer,
        dataset=given.dataset,
        interaction_protocol=given.interaction_protocol,
    ).to_dict()
    tree["interaction_protocol"] = HyperParameters.interaction_protocol
    return {name: value for name, value in tree.items() if name not in _REQUIRED}


def _comparable(*trees: Tree) -> Iterator[Tree]:
    """List in each tree the agents of all of them, so that their values stand side by side."""
    names = dict.fromkeys(name for tree in trees for name in tree["agents"])
    for tree in trees:
        agents = tree["agents"]
        listed = {name: agents.get(name, agents[DEFAULT_AGENT]) for name in names}
        yield {**tree, "agents": {n: a for n, a in listed.items() if n not in NO_AGENTS}}


def merge(base: Any, given: Any, default: Any) -> Any:
    """Take from the base, tree by tree, what was left at its default.

    Groups of different classes have no values that would correspond, so one of them wins whole.
    """
    if _is_same(given, default):
        return base
    trees = (base, given, default)
    if not all(isinstance(tree, Mapping) for tree in trees):
        return given
    if len({tree.get("_type") for tree in trees}) > 1:
        return given
    names = dict.fromkeys([*base, *given])
    return {
        name: merge(base[name], given[name], default.get(name, _NOTHING))
        if name in base and name in given
        else given.get(name, base.get(name))
        for name in names
    }


_NOTHING = object()


def _is_same(first: Any, second: Any) -> bool:
    """Compare values; unlike in Python, True is no 1."""
    return bool(first == second) and isinstance(first, bool) == isinstance(second, bool)
