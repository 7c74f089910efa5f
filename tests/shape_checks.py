"""Checks every annotated shape while the tests run.

The annotated types of other code are left to mypy: decorating all functions of the package
would cost each interpreter seconds.
"""

from pathlib import Path

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

REPOSITORY = Path(__file__).parents[1]

# An int is as good as a float.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))


def modules_with_shapes() -> list[str]:
    """Return the names of all modules of the package which import jaxtyping."""
    return [
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        for path in sorted((REPOSITORY / "nip").rglob("*.py"))
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    ]


def check_shapes() -> None:
    """Check whatever is imported of these modules from now on."""
    install_import_hook(modules_with_shapes(), f"{__name__}.checked")
