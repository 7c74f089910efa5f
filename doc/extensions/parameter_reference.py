"""Puts the tables of all parameters, made from the classes that hold them, into their page."""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from nip.parameters.tree.reference import parameter_reference

PAGE = "reference/parameters"
PLACE = "<!-- tables of all parameters -->"


def insert_tables(_app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the mark on the page by the tables."""
    if page == PAGE:
        assert PLACE in source[0], f"{PAGE}.md has no place for the tables"
        source[0] = source[0].replace(PLACE, parameter_reference())


def always_outdated(
    _app: Sphinx,
    _environment: BuildEnvironment,
    _added: set[str],
    _changed: set[str],
    _removed: set[str],
) -> list[str]:
    """Build the page anew each time, because Sphinx does not see the classes change."""
    return [PAGE]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", insert_tables)
    app.connect("env-get-outdated", always_outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
