"""Checks every annotated shape and type of the numerical code while the tests run."""

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

CHECKED_PACKAGES = [
    "nip.protocols.tensor_protocol",
    "nip.rl_objectives",
    "nip.scenario_base",
    "nip.scenarios",
    "nip.trainers",
]

# An int is as good as a float.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check_shapes() -> None:
    """Check whatever is imported of these packages from now on."""
    install_import_hook(CHECKED_PACKAGES, f"{__name__}.checked")
