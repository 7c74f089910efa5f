"""The table of several runs agrees with a calculation by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from nip.commands.robustness_table import main


def write_report(folder: Path, accuracy: float, *, with_search: bool = True) -> None:
    """Write what the table reads of ``attack.json``."""
    kept: list[dict[str, Any]] = [
        {"provers": "of the run", "label": None, "accuracy": accuracy, "worst": 0.25},
        {"provers": "of the run", "label": 0, "accuracy": 0.5, "worst": 0.25},
        {"provers": "of the run", "label": 1, "accuracy": 1.0, "worst": 0.5},
    ]
    if with_search:
        kept.append({"provers": "best answers", "label": None, "accuracy": 0.5, "worst": 0.0})
    for each in kept:
        width = 0.1 if accuracy > 0.9 else 0.05
        interval = (each["accuracy"] - width, min(each["accuracy"] + width, 1.0))
        each |= dict(zip(("ci_low", "ci_high"), interval, strict=True))
    folder.mkdir(parents=True)
    (folder / "attack.json").write_text(json.dumps({"kept": kept}))


def test_a_row_has_means_and_t_intervals_over_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, accuracy in enumerate((0.85, 0.9, 0.95)):
        write_report(tmp_path / f"nip-{seed}", accuracy, with_search=seed > 0)
    arguments = ["--runs-dir", str(tmp_path), "--row", "one", "nip-1"]
    assert main([*arguments, "--row", "three", "nip-0", "nip-1", "nip-2"]) == 0
    # The standard error of 0.85, 0.9, 0.95 is 0.05 / sqrt(3), and t with 2 degrees of freedom 4.3.
    # All three have the same completeness, so that its interval is the widest of their own.
    # The best answers are known for two of the three runs only.
    expected = """\
| | accuracy | worst datapoint | completeness | soundness | best answers |
|---|---|---|---|---|---|
| one | 0.900 | 0.250 | 1.000 | 0.500 | 0.500 |
| three | 0.900 (0.776–1.000) | 0.250 | 1.000 (0.900–1.000) | 0.500 (0.400–0.600) |  |
"""
    assert (tmp_path / "robustness.md").read_text(encoding="utf-8") == expected
    assert (tmp_path / "robustness.png").read_bytes().startswith(b"\x89PNG")
    assert expected in capsys.readouterr().out


def test_a_run_that_was_not_attacked_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(tmp_path / "attacked", 0.9)
    arguments = ["--runs-dir", str(tmp_path), "--row", "nip", "attacked"]
    assert main([*arguments, "--dataset", "larger"]) == 2
    assert "scripts/attack.py" in capsys.readouterr().err
    assert main(["--runs-dir", str(tmp_path), "--row", "nip"]) == 2
    assert "names no runs" in capsys.readouterr().err


def test_the_table_is_not_replaced_by_its_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(tmp_path / "nip-1", 0.9)
    with pytest.raises(SystemExit):
        main(["--runs-dir", str(tmp_path), "--row", "nip", "nip-1", "--output", "table.png"])
    assert "'table.png' should end with .md" in capsys.readouterr().err


def test_a_run_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_report(tmp_path / "nip-1", 0.9)
    assert main(["--runs-dir", str(tmp_path), "--row", "nip", "nip-1", "nip-1"]) == 2
    assert "nip-1 twice. Every run counts once" in capsys.readouterr().err


def test_a_report_of_an_earlier_version_lacks_the_worst_datapoint_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(tmp_path / "old", 0.9)
    path = tmp_path / "old" / "attack.json"
    kept = json.loads(path.read_text())["kept"]
    for each in kept:
        del each["worst"]
    path.write_text(json.dumps({"kept": kept}))
    assert main(["--runs-dir", str(tmp_path), "--row", "nip", "old"]) == 0
    assert "| nip | 0.900 | 1.000 | 0.500 | 0.500 |" in capsys.readouterr().out


@pytest.mark.parametrize("content", ['{"kept": [', "[]", '{"kept": 3}'])
def test_a_damaged_report_is_named(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(tmp_path / "attacked", 0.9)
    path = tmp_path / "attacked" / "attack.json"
    path.write_text(content)
    assert main(["--runs-dir", str(tmp_path), "--row", "nip", "attacked"]) == 2
    message = capsys.readouterr().err
    assert "is damaged" in message and "Attack the run again" in message
