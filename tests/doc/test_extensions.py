"""What the documentation makes of formulas and of the classes of parameters."""

import importlib.util
import re
from types import ModuleType

import pytest

from nip.parameters.tree.reference import parameter_sections
from tests.doc.pages import DOC


def load(name: str) -> ModuleType:
    pytest.importorskip("sphinx", reason="the documentation's tools are not installed")
    spec = importlib.util.spec_from_file_location(name, DOC / "extensions" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_formula_stands_on_the_line_of_its_text() -> None:
    formulas = load("formulas")
    below = {
        latex: float(re.search(r"vertical-align:(-[\d.]+)em", formulas.formula_svg(latex))[1])
        for latex in ("x", "x_t", r"\sum_{k<n} x_k")
    }
    # A subscript hangs below the line, and the limits of a sum further still.
    assert below["x"] > below["x_t"] > below[r"\sum_{k<n} x_k"]


def test_a_formula_can_be_read_aloud_and_breaks_no_page() -> None:
    svg = load("formulas").formula_svg("a < b")
    assert 'aria-label="a &lt; b"' in svg
    assert svg.count("<svg") == svg.count("</svg>") == 1


def test_a_formula_that_cannot_be_drawn_stops_the_build() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        load("formulas").formula_svg(r"\nonsense{x}")


def test_aligned_lines_are_taken_apart() -> None:
    latex = r"\begin{aligned} a &= b \\ c &= d \end{aligned}"
    assert load("formulas").lines_of(latex) == ["a = b", "c = d"]


def test_the_page_of_parameters_receives_all_of_them() -> None:
    extension = load("parameter_reference")
    source = [(DOC / f"{extension.PAGE}.md").read_text(encoding="utf-8")]
    extension.insert_tables(None, extension.PAGE, source)
    for section in parameter_sections():
        for entry in section.entries:
            assert f"`{entry.name}`" in source[0]
