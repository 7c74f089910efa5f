"""Scenarios by name."""

from collections.abc import Callable
from typing import TypeVar

from nip.parameters.agents import BaseAgentParameters
from nip.parameters.specs import ScenarioSpec, scenario_specs
from nip.registry import Registry
from nip.scenario_base.scenario import Scenario

scenario_registry: Registry[type[Scenario]] = Registry("scenario", package="nip.scenarios")

S = TypeVar("S", bound=type[Scenario])


def register_scenario(
    name: str,
    *,
    agent_parameters: type[BaseAgentParameters] | None = None,
    builtin_datasets: tuple[str, ...] | None = None,
) -> Callable[[S], S]:
    """Make a scenario known under a name.

    Parameters
    ----------
    name : str
        What ``scenario=`` chooses.
    agent_parameters : type, optional
        Parameters of its agents. The built-in scenarios have theirs in the catalogue already.
    builtin_datasets : tuple of str, optional
        Names of the datasets which need no files; without them, a dataset is a folder.
    """

    def decorate(scenario: S) -> S:
        if agent_parameters is not None and name not in scenario_specs:
            facts = ScenarioSpec(
                data="tensordict",
                agent_parameters=agent_parameters,
                builtin_datasets=builtin_datasets,
            )
            scenario_specs.register(name, facts)
        scenario_registry.register(name, scenario)
        return scenario

    return decorate
