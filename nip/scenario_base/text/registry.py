"""Scenarios of texts by name."""

from collections.abc import Callable
from typing import TypeVar

from nip.parameters.agents import BaseAgentParameters
from nip.parameters.specs import ScenarioSpec, scenario_specs
from nip.registry import Registry
from nip.scenario_base.text.scenario import TextScenario

text_scenario_registry: Registry[type[TextScenario]] = Registry("scenario", package="nip.scenarios")

S = TypeVar("S", bound=type[TextScenario])


def register_text_scenario(
    name: str,
    *,
    agent_parameters: type[BaseAgentParameters] | None = None,
    builtin_datasets: tuple[str, ...] | None = None,
) -> Callable[[S], S]:
    """Make a scenario of texts known under a name.

    Parameters
    ----------
    name : str
        What ``scenario=`` chooses.
    agent_parameters : type, optional
        Parameters of its agents, a subclass of ``TextAgentParameters``. The built-in scenarios
        have theirs in the catalogue already.
    builtin_datasets : tuple of str, optional
        Names of all its datasets; without them, the scenario looks for datasets itself.
    """

    def decorate(scenario: S) -> S:
        if agent_parameters is not None and name not in scenario_specs:
            facts = ScenarioSpec(
                data="text", agent_parameters=agent_parameters, builtin_datasets=builtin_datasets
            )
            scenario_specs.register(name, facts)
        text_scenario_registry.register(name, scenario)
        scenario.name = name
        return scenario

    return decorate
