"""Tables and figures of a comparison."""

import csv
import io

import pytest

from nip.comparison import ComparisonOptions, compare_runs
from nip.comparison.figure import draw_comparison
from nip.comparison.tables import csv_text, latex, markdown, print_comparison
from tests.comparison.stored_runs import METRIC, write_groups, write_run


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("runs")
    write_groups(folder, {"a|b_c": (0.25, 0.5, 0.75), "x&y": (0.25, 0.25, 0.25)})
    return compare_runs("*", folder)


def test_markdown_has_the_numbers_of_a_hand_worked_example(comparison) -> None:
    lines = markdown(comparison).splitlines()
    # 0.5 ± 4.303 × 0.25 / √3, clipped to [0, 1].
    assert "| a\\|b\\_c | 3 | 0.500 | 0.000 to 1.000 | 0.250 |" in lines
    assert "| x&y | 3 | 0.250 | 0.250 to 0.250 | 0.000 |" in lines
    # 0.25 ± 4.303 × 0.1443, with the 2 degrees of freedom of the only group that varies;
    # T = √3, p = 0.2254; 5.653 × 0.1443.
    row = "| a\\|b\\_c − x&y | +0.250 | -0.371 to +0.871 | 0.23 | 0.23 | 0.816 |"
    assert row in lines
    # Two pairs are better and one equal of each three.
    assert any(line.startswith("| a\\|b\\_c \\> x&y | 0.83") or "0.83" in line for line in lines)
    assert any("no evidence that other seeds would agree" in line for line in lines)


def test_a_number_that_rounds_to_nothing_has_no_sign(tmp_path) -> None:
    write_groups(tmp_path, {"a": (0.5, 0.5002), "b": (0.5001, 0.5003)})
    assert "| a − b | 0.000 | -0.001 to +0.001 |" in markdown(compare_runs("*", tmp_path))


def test_latex_escapes_what_others_named(comparison) -> None:
    text = latex(comparison)
    assert r"a|b\_c & 3 & 0.500 & 0.000 to 1.000 & 0.250 \\" in text
    assert r"x\&y" in text
    assert r"95 \%" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 4


def test_csv_has_all_digits(comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(comparison))))
    assert [row["kind"] for row in rows] == ["group", "group", "difference"]
    pair = comparison.metrics[0].pairs[0]
    assert float(rows[2]["p_value"]) == pair.difference.p_value
    assert float(rows[2]["low"]) == pair.difference.interval.low
    assert float(rows[2]["probability_high"]) == pair.probability.high
    assert rows[0]["p_value"] == ""


def test_the_terminal_shows_the_same(comparison, capsys) -> None:
    print_comparison(comparison)
    shown = capsys.readouterr().out
    for part in (METRIC, "a|b_c", "0.500", "0.000 to 1.000", "p (Holm)", "Parameters that differ"):
        assert part in shown


def test_the_terminal_shows_the_first_of_many_differing_parameters(tmp_path, capsys) -> None:
    for name in ("a", "b"):
        for seed in (1, 2):
            parameters = {"seed": seed, "trainer": name, **{f"p{n}": name for n in range(30)}}
            write_run(tmp_path, f"{name}{seed}", parameters, {1: {METRIC: seed / 3}})
    comparison = compare_runs("*", tmp_path)
    print_comparison(comparison)
    assert "and 11 more" in capsys.readouterr().out
    assert "| p29 |" in markdown(comparison)


def test_the_figure_is_drawn(tmp_path) -> None:
    write_groups(tmp_path, {"$x_1$": (0.25, 0.5, 0.75, 0.6), "b": (0.25, 0.35, 0.25, 0.3)})
    options = ComparisonOptions(statistic="iqm", metrics=(METRIC, "mean_accuracy"))
    path = tmp_path / "figure.png"
    draw_comparison(compare_runs("*", tmp_path, options), path)
    assert path.read_bytes().startswith(b"\x89PNG")
