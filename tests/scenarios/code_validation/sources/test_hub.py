"""Datasets of the hub, which a stand-in for the library `datasets` provides."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from nip.errors import DatasetError
from nip.parameters.scenarios.code_validation import CodeValidationParameters
from nip.scenarios.code_validation.sources.hub import AppsSource, BuggyAppsSource, solutions_in
from nip.scenarios.code_validation.sources.source import DatasetRequest

OPTIONS = CodeValidationParameters(apps_difficulty="interview", apps_solution_number=0)
APPS = [
    {
        "problem_id": 1,
        "question": "First?",
        "solutions": '["one()", "uno()"]',
        "difficulty": "interview",
    },
    {"problem_id": 2, "question": "Second?", "solutions": "", "difficulty": "interview"},
    {"problem_id": 3, "question": "Third?", "solutions": '["x"]', "difficulty": "competition"},
    {
        "problem_id": 4,
        "question": "Fourth?",
        "solutions": '["four()"]',
        "difficulty": "interview",
        "is_flagged": True,
    },
]
BUGGY = [
    {
        "question": "First?",
        "solutions": ["one()"],
        "buggy_solutions": [{"solution": "won()", "flagged": False}, {"solution": "wun()"}],
        "difficulty": "interview",
    },
    {
        "question": "Second?",
        "solutions": ["two()"],
        "buggy_solutions": [{"solution": "too()", "flagged": True}],
        "difficulty": "interview",
    },
]


class Hub:
    """Stands in for the library, and counts what is fetched."""

    def __init__(self, rows: list) -> None:
        self.rows = rows
        self.fetched: list[tuple[str, str]] = []

    def load_dataset(self, name: str, split: str) -> list:
        self.fetched.append((name, split))
        return self.rows


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    library = Hub(APPS)
    monkeypatch.setitem(sys.modules, "datasets", library)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: SimpleNamespace())
    return library


def request(name: str, folder: Path, options: CodeValidationParameters = OPTIONS) -> DatasetRequest:
    return DatasetRequest(name, folder, options)


def solutions(source, request: DatasetRequest) -> list[tuple[str, int]]:
    return [(each.solution, each.y) for each in source.load(request, "train")]


def test_options_choose_the_rows(hub: Hub, tmp_path: Path) -> None:
    def found(**changes: object) -> list[tuple[str, int]]:
        options = replace(OPTIONS, **changes)
        return solutions(AppsSource(), request("codeparrot/apps", tmp_path, options))

    assert found() == [("one()", 1)]
    assert found(apps_solution_number=1) == [("uno()", 1)]
    assert found(apps_exclude_flagged=False) == [("one()", 1), ("four()", 1)]
    assert found(apps_difficulty="competition") == [("x", 1)]
    with pytest.raises(DatasetError, match=r"apps_difficulty='introductory'.*solution_number=0"):
        found(apps_difficulty="introductory")


def test_each_choice_of_options_is_kept_by_itself(hub: Hub, tmp_path: Path) -> None:
    wanted = request("codeparrot/apps", tmp_path)
    other = request("codeparrot/apps", tmp_path, replace(OPTIONS, apps_solution_number=1))
    for _ in range(2):
        assert solutions(AppsSource(), wanted) == [("one()", 1)]
        assert solutions(AppsSource(), other) == [("uno()", 1)]
    assert hub.fetched == [("codeparrot/apps", "train"), ("codeparrot/apps", "test")] * 2
    solutions(AppsSource(), replace(wanted, ignore_cache=True))
    assert len(hub.fetched) == 6
    (folder, _) = sorted((tmp_path / "code_validation" / ".hub").iterdir())
    assert json.loads((folder / "options.json").read_text())["dataset"] == "codeparrot/apps"


def test_buggy_solutions_are_labelled_as_such(hub: Hub, tmp_path: Path) -> None:
    hub.rows = BUGGY
    wanted = request("lrhammond/buggy-apps", tmp_path)
    assert solutions(BuggyAppsSource(), wanted) == [("one()", 1), ("won()", 0), ("two()", 1)]


def test_an_unknown_layout_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.rows = [{"prompt": "First?", "difficulty": "interview"}]
    with pytest.raises(DatasetError, match=r"needs question, solutions, but has prompt"):
        solutions(AppsSource(), request("codeparrot/apps", tmp_path))


def test_no_network_is_told(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the hub\nand more")

    monkeypatch.setattr(hub, "load_dataset", fail)
    with pytest.raises(DatasetError, match=r"Couldn't reach the hub\. Without a network, make"):
        solutions(AppsSource(), request("codeparrot/apps", tmp_path))
    assert not (tmp_path / "code_validation").exists()


def test_a_missing_library_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for ask in (AppsSource().check, lambda wanted: AppsSource().load(wanted, "train")):
        with pytest.raises(DatasetError, match=r"pip install 'nip\[hub\]'.*create_cv_dataset.py"):
            ask(request("codeparrot/apps", tmp_path))


def test_what_was_fetched_needs_no_library_any_more(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = request("codeparrot/apps", tmp_path)
    solutions(AppsSource(), wanted)
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    AppsSource().check(wanted)
    assert solutions(AppsSource(), wanted) == [("one()", 1)]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ('["a", "b"]', [("a", False), ("b", False)]),
        ("", []),
        ("print(1)", [("print(1)", False)]),
        ([{"code": "a", "is_flagged": 1}, None], [("a", True)]),
        (None, []),
    ],
)
def test_solutions_are_found_in_every_known_layout(column: object, found: list) -> None:
    assert solutions_in(column) == found
