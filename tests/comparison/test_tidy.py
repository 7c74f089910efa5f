"""``load_runs``: the metrics of runs as one table."""

import importlib.util
from math import nan

import pytest

import nip
from nip.errors import NipWarning, ParameterError, PluginError
from tests.comparison.stored_runs import write_groups, write_run


def test_there_is_a_row_for_each_value(tmp_path) -> None:
    write_groups(tmp_path, {"ppo": (0.5, 0.75)})
    metrics = {0: {"pretrain_loss": 1.0, "pretrain_test_loss": 2.0}, 1: {"verifier.loss": nan}}
    write_run(tmp_path, "other", {"trainer": "spg", "seed": 7}, metrics, status="running")
    table = nip.load_runs(runs_dir=tmp_path)
    assert list(table.columns) == [
        *("run_id", "group", "seed", "status", "iteration", "split", "metric", "value"),
    ]
    assert table[table.run_id == "ppo-seed-2"].values.tolist() == [
        ["ppo-seed-2", "ppo", 2, "completed", 1, "train", "mean_accuracy", 0.375],
        ["ppo-seed-2", "ppo", 2, "completed", 2, "train", "mean_accuracy", 0.75],
        ["ppo-seed-2", "ppo", 2, "completed", 2, "test", "mean_accuracy", 0.75],
    ]
    other = table[table.run_id == "other"]
    assert other.split.tolist() == ["pretrain", "pretrain_test", "train"]
    assert other.metric.tolist() == ["loss", "loss", "verifier.loss"]
    assert other.value.isna().tolist() == [False, False, True]
    means = table[table.split == "test"].groupby("group")["value"].mean()
    assert means.to_dict() == {"ppo": 0.625}


def test_without_runs_the_table_is_empty(tmp_path) -> None:
    with pytest.raises(ParameterError, match="There are no runs in"):
        nip.load_runs(runs_dir=tmp_path)
    assert nip.load_runs([], tmp_path).empty


def test_damaged_runs_are_left_out_with_a_warning(tmp_path) -> None:
    write_groups(tmp_path, {"ppo": (0.5, 0.75)})
    (tmp_path / "ppo-seed-1" / "run.db").unlink()
    with pytest.warns(NipWarning, match="'ppo-seed-1' is left out"):
        table = nip.load_runs("ppo-*", tmp_path)
    assert set(table.run_id) == {"ppo-seed-2"}


def test_polars_has_the_same_table(tmp_path) -> None:
    pytest.importorskip("polars", reason="the extra polars is not installed")
    write_groups(tmp_path, {"ppo": (0.5, 0.75), "spg": (0.25,)})
    table = nip.load_runs(runs_dir=tmp_path, library="polars")
    pandas_table = nip.load_runs(runs_dir=tmp_path)
    assert table.columns == list(pandas_table.columns)
    assert table.rows() == [tuple(row) for row in pandas_table.values.tolist()]


def test_other_libraries_are_refused(tmp_path) -> None:
    with pytest.raises(ParameterError, match="must be 'pandas' or 'polars', got 'pandsa'"):
        nip.load_runs(runs_dir=tmp_path, library="pandsa")  # type: ignore[call-overload]


@pytest.mark.parametrize(("library", "extra"), [("pandas", "analysis"), ("polars", "polars")])
def test_the_extra_is_named_without_the_library(library, extra, tmp_path, monkeypatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: None if name == library else find(name)
    )
    with pytest.raises(PluginError, match=rf"pip install 'nip\[{extra}\]'"):
        nip.load_runs(runs_dir=tmp_path, library=library)
