"""Check what the methods of a scenario return, which may come from a plugin."""

from typing import Any, TypeVar

from nip.errors import ParameterError

T = TypeVar("T")


def returned(scenario: Any, method: str, value: T, wanted: type) -> T:
    """Return the value that a method of a scenario has returned.

    Parameters
    ----------
    scenario : Scenario, TextScenario or CustomScenario
        The scenario.
    method : str
        Name of the method.
    value : object
        What it has returned.
    wanted : type
        What it must return.

    Raises
    ------
    ParameterError
        If it is of another type.
    """
    if not isinstance(value, wanted):
        name = wanted.__name__
        article = "an" if name[0] in "AEIOU" else "a"
        kind = "None" if value is None else f"an object of class {type(value).__name__}"
        raise ParameterError(
            f"{method} of scenario={scenario.name!r} must return {article} {name}, got {kind}. "
            f"Return an instance of {wanted.__module__}.{name}."
        )
    return value
