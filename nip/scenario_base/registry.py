"""Registry of scenarios, those of tensors and those of texts."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from nip.parameters.agents import BaseAgentParameters
from nip.parameters.parameters_base import SCENARIO_PACKAGE
from nip.parameters.specs import ScenarioSpec, register_scenario_spec, scenario_specs
from nip.registry import Registry, require_derived, require_name

if TYPE_CHECKING:
    # Scenarios of texts are registered without importing PyTorch.
    from nip.scenario_base.custom_scenario import CustomScenario
    from nip.scenario_base.scenario import Scenario
    from nip.scenario_base.text.scenario import TextScenario

scenario_registry: Registry[Any] = Registry("scenario", SCENARIO_PACKAGE)
"""All scenarios by name: subclasses of ``Scenario`` or of ``TextScenario``."""

S = TypeVar("S", bound="type[Scenario] | type[TextScenario] | type[CustomScenario]")


def register_scenario(
    name: str,
    *,
    agent_parameters: type[BaseAgentParameters] | None = None,
    builtin_datasets: tuple[str, ...] | None = None,
) -> Callable[[S], S]:
    """Register a scenario under a name, as a decorator of its class.

    Parameters
    ----------
    name : str
        Value of ``scenario`` that chooses it.
    agent_parameters : type of BaseAgentParameters, optional
        Class of the parameters of its agents: a subclass of ``AgentParameters``, or of
        ``TextAgentParameters`` for a scenario of texts. Not needed if a module ``<name>_spec.py``
        or ``<name>/spec.py`` states the spec of the scenario.
    builtin_datasets : tuple of str, optional
        Names of all its datasets if they are generated. Without them a dataset is a folder; a
        scenario of texts looks for it itself.
    """
    require_name("register_scenario", name)

    def decorate(scenario: S) -> S:
        require_derived(f"scenario {name!r}", scenario, *_bases(scenario))
        if agent_parameters is not None and name not in scenario_specs:
            spec = ScenarioSpec(scenario.data, agent_parameters, builtin_datasets)
            register_scenario_spec(name, spec)
        scenario_registry.register(name, scenario)
        scenario.name = name
        return scenario

    return decorate


def _bases(scenario: object) -> tuple[type, ...]:
    """Return the classes from one of which a scenario is derived."""
    from nip.scenario_base.custom_scenario import CustomScenario
    from nip.scenario_base.text.scenario import TextScenario

    without_torch = (TextScenario, CustomScenario)
    if isinstance(scenario, type) and issubclass(scenario, without_torch):
        return without_torch
    from nip.scenario_base.scenario import Scenario

    return (Scenario, *without_torch)
