"""Draws formulas as vector graphics within the page: no JavaScript, no network, no TeX."""

import re
from html import escape

from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

UNITS_PER_EM = 10.0
MARGIN = 0.5
COMMANDS = {
    Path.MOVETO: "M",
    Path.LINETO: "L",
    Path.CURVE3: "Q",
    Path.CURVE4: "C",
    Path.CLOSEPOLY: "Z",
}


def formula_svg(latex: str) -> str:
    """Draw one line of LaTeX, on the base line of the text around it."""
    outline = TextPath(
        (0, 0), f"${latex}$", size=UNITS_PER_EM, prop=FontProperties(math_fontfamily="cm")
    )
    box = outline.get_extents().padded(MARGIN)
    commands = " ".join(
        COMMANDS[code] + ("" if code == Path.CLOSEPOLY else _numbers(points))
        for points, code in outline.iter_segments()
    )
    size = f"height:{box.height / UNITS_PER_EM:.2f}em;vertical-align:{box.y0 / UNITS_PER_EM:.2f}em"
    return (
        f'<svg class="formula" role="img" aria-label="{escape(latex)}" style="{size}" '
        f'viewBox="{box.x0:.2f} {-box.y1:.2f} {box.width:.2f} {box.height:.2f}">'
        f'<path d="{commands}"/></svg>'
    )


def lines_of(latex: str) -> list[str]:
    """Take an aligned formula apart into its lines."""
    plain = re.sub(r"\\(begin|end)\{\w+\*?\}", "", latex).replace("&", "")
    return [line.strip() for line in plain.split(r"\\") if line.strip()]


def _numbers(points: list[float]) -> str:
    # The vertical axis of a page points down.
    pairs = zip(points[::2], points[1::2], strict=True)
    return " ".join(f"{x:.2f} {-y:.2f}" for x, y in pairs)


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Draw a formula within a line of text."""
    self.body.append(formula_svg(node.astext()))
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Draw a formula that stands for itself."""
    drawn = "<br>".join(formula_svg(line) for line in lines_of(node.astext()))
    self.body.append(f'<div class="formula-block">{drawn}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of this extension."""
    app.add_html_math_renderer("svg", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
