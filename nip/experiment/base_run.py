"""Base runs: hyper-parameters taken from another run, and repeated tests of its models.

A value counts as given if it differs from its default. With ``base_run_type="parameters"``, a
parameter at its default is therefore taken from the base run, and any other value overrides it. To
reset a parameter to its default, change the stored tree itself: ``HyperParameters.from_yaml(Path(
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
from nip.parameters.tree.unnamed import check_all_is_named
from nip.run_store.reading import read_parameters
from nip.run_store.run_id import check_run_id

_REQUIRED = ("scenario", "trainer", "dataset")

Tree = dict[str, Any]


def apply_base_run(hyper_params: HyperParameters, settings: ExperimentSettings) -> HyperParameters:
    """Merge hyper-parameters with those of their base run, or return them unchanged; idempotent.

    Raises
    ------
    ParameterError
        If the base run does not exist or is incompatible; if it names something outside of itself,
        such as code or an address, that was not given as well; or, with ``rerun_tests``, if a
        parameter was given that must equal that of the base run.
    """
    kind = hyper_params.base_run.base_run_type
    if kind == "none":
        return hyper_params
    # Protocols import NumPy, which most experiments do not need yet.
    from nip.protocols.registry import agent_names_of

    run_id = str(hyper_params.base_run.run_id)
    # It may come from a stored run itself, and must not lead out of ``runs_dir``.
    check_run_id(run_id, "base_run.run_id")
    base = read_base_run(Path(settings.runs_dir), run_id)
    merge_into = _with_parameters_of if kind == "parameters" else _with_tests_of
    merged = merge_into(base, hyper_params)
    agent_names = agent_names_of(
        merged.interaction_protocol, zero_knowledge=merged.protocol_common.zero_knowledge
    )
    check_all_is_named(merged, hyper_params, agent_names, f"base_run.run_id={run_id!r}")
    if kind == "rerun_tests":
        _check_something_to_test(merged, settings)
    return merged


def read_base_run(runs_dir: Path, run_id: str, use: str | None = None) -> HyperParameters:
    """Read the hyper-parameters of another run.

    ``use`` says in messages what it was read for, if it is not ``base_run.run_id``.

    Raises
    ------
    ParameterError
        If the run does not exist, or this version of nip cannot read its hyper-parameters.
    """
    try:
        with warnings.catch_warnings():
            # These warnings were shown when that run was started.
            warnings.simplefilter("ignore", NipWarning)
            return HyperParameters.from_dict(read_parameters(runs_dir / run_id))
    except ParameterError as error:
        raise ParameterError(f"{use or f'base_run.run_id={run_id!r}'}: {error}") from error


def _with_parameters_of(base: HyperParameters, given: HyperParameters) -> HyperParameters:
    run_id = given.base_run.run_id
    if base.scenario != given.scenario:
        raise ParameterError(
            f"base_run.run_id={run_id!r} has scenario={base.scenario!r} and trainer="
            f"{base.trainer!r}; its parameters cannot be used for scenario={given.scenario!r} and "
            f"trainer={given.trainer!r}. Use the same scenario, or choose another run."
        )
    trees = _comparable(base.to_dict(), given.to_dict(), _defaults(given))
    with warnings.catch_warnings():
        # The merged tree lists all agents, so that its defaults may be those of no agent.
        warnings.filterwarnings("ignore", r"agents\._default\.", NipWarning)
        return HyperParameters.from_dict({**merge(*trees), "base_run": given.base_run.to_dict()})


def _with_tests_of(base: HyperParameters, given: HyperParameters) -> HyperParameters:
    run_id = given.base_run.run_id
    if problem := _problem_with_rerun(base):
        raise ParameterError(f"base_run.run_id={run_id!r} cannot be tested again: {problem}")
    old, new, default = _comparable(base.to_dict(), given.to_dict(), _defaults(given))
    changed = {each.name: each for each in difference(old, new) if not _is_preserved(each.name)}
    is_given = {each.name for each in difference(default, new)}
    problems = [str(changed[name]) for name in changed if name in is_given]
    if problems:
        listing = "\n".join(f"    {problem}" for problem in problems)
        raise ParameterError(
            f"With base_run.base_run_type='rerun_tests' these parameters must equal those of run "
            f"{run_id!r} (stored → given):\n{listing}\n"
            f"Leave them out. New values are possible for {', '.join(PRESERVED_FOR_RERUN_TESTS)}."
        )
    preserved = {
        name: given.get(name).to_dict() if name == "base_run" else given.get(name)
        for name in PRESERVED_FOR_RERUN_TESTS
    }
    return base.with_changes(preserved)


def _problem_with_rerun(base: HyperParameters) -> str | None:
    if trainer_specs[base.trainer].data != "text":
        return (
            f"rerun_tests needs a trainer of language models, got trainer={base.trainer!r}. Use "
            "base_run.base_run_type=parameters to train with its parameters."
        )
    if base.base_run.base_run_type == "rerun_tests":
        return (
            f"it is itself a repeated test of run {base.base_run.run_id!r}. Name that run instead."
        )
    return None


def _check_something_to_test(hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
    # The modules of trainers are not imported for other experiments.
    from nip.trainers.text.data_order import is_tested
    from nip.trainers.text.rerun_tests import models_of_base_run

    models = models_of_base_run(hyper_params, settings)
    if not any(is_tested(hyper_params, iteration) for iteration in range(len(models))):
        raise ParameterError(
            "Nothing would be tested: with "
            "base_run.rerun_tests_force_test_during_training_state=False the tests follow "
            f"text_rl.test_scheme, got {hyper_params.text_rl.test_scheme!r}, and the base run has "
            f"{len(models)} of {hyper_params.rl.num_iterations} iterations. Set it to True, or "
            "choose another test_scheme."
        )


def _is_preserved(name: str) -> bool:
    return any(name == kept or name.startswith(f"{kept}.") for kept in PRESERVED_FOR_RERUN_TESTS)


def _defaults(given: HyperParameters) -> Tree:
    """Return the tree of defaults, without the required parameters."""
    tree = HyperParameters(
        scenario=given.scenario,
        trainer=given.trainer,
        dataset=given.dataset,
        interaction_protocol=given.interaction_protocol,
    ).to_dict()
    tree["interaction_protocol"] = HyperParameters.interaction_protocol
    return {name: value for name, value in tree.items() if name not in _REQUIRED}


def _comparable(*trees: Tree) -> Iterator[Tree]:
    """Complete the agents of each tree by those of the others, so that values can be compared."""
    names = dict.fromkeys(name for tree in trees for name in tree["agents"])
    for tree in trees:
        agents = tree["agents"]
        listed = {name: agents.get(name, agents[DEFAULT_AGENT]) for name in names}
        yield {**tree, "agents": {n: a for n, a in listed.items() if n not in NO_AGENTS}}


def merge(base: Any, given: Any, default: Any) -> Any:
    """Replace values at their default by those of the base, recursively.

    A group whose class differs between the trees is taken as a whole from one of them.
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
    """Compare values, distinguishing True from 1."""
    return bool(first == second) and isinstance(first, bool) == isinstance(second, bool)
