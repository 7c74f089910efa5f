"""Loading outside modules."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from nip import plugins
from nip.errors import PluginError


@pytest.fixture(autouse=True)
def unchanged_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def test_a_module_in_the_current_folder_is_found(working_folder: Path) -> None:
    (working_folder / "plugin_here.py").write_text("loaded = True\n")
    plugins.load_plugins(["plugin_here"])
    assert sys.modules["plugin_here"].loaded


def test_a_file_is_loaded_once(working_folder: Path) -> None:
    path = working_folder / "folder" / "plugin_file.py"
    path.parent.mkdir()
    path.write_text(
        "import builtins\nbuiltins.plugin_loads = getattr(builtins, 'plugin_loads', 0) + 1\n"
    )
    import builtins

    plugins.load_plugins(["folder/plugin_file.py", str(path)])
    assert builtins.plugin_loads == 1
    del builtins.plugin_loads


def test_a_file_must_not_take_the_name_of_a_loaded_module(working_folder: Path) -> None:
    (working_folder / "json.py").write_text("")
    with pytest.raises(PluginError, match="json"):
        plugins.load_plugins(["./json.py"])


def test_a_file_that_fails_is_forgotten(working_folder: Path) -> None:
    path = working_folder / "plugin_fails.py"
    path.write_text("1 / 0\n")
    with pytest.raises(PluginError, match=r"line 1.*ZeroDivisionError"):
        plugins.load_plugins([str(path)])
    path.write_text("")
    plugins.load_plugins([str(path)])


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import sys; sys.exit('bye')"])
def test_a_plugin_does_not_end_the_program(code: str, working_folder: Path) -> None:
    (working_folder / "plugin_exits.py").write_text(code)
    with pytest.raises(PluginError, match=r"plugin_exits.* could not be loaded.*SystemExit"):
        plugins.load_plugins(["./plugin_exits.py"])


def test_a_syntax_error_is_a_message(working_folder: Path) -> None:
    (working_folder / "plugin_syntax.py").write_text("def f(:\n")
    with pytest.raises(PluginError, match=r"SyntaxError.*plugin_syntax\.py, line 1"):
        plugins.load_plugins(["plugin_syntax"])


def test_a_module_missing_within_a_plugin_is_not_taken_for_the_plugin(working_folder: Path) -> None:
    (working_folder / "plugin_needs.py").write_text("import surely_not_there\n")
    with pytest.raises(PluginError, match=r"'plugin_needs' could not be loaded.*surely_not_there"):
        plugins.load_plugins(["plugin_needs"])


def test_installed_plugins_are_found_by_their_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EntryPoint("fine", "json.tool", plugins.ENTRY_POINT_GROUP)]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found)
    plugins.load_installed_plugins()
    assert "json.tool" in sys.modules
    found.append(EntryPoint("broken", "surely_not_there", plugins.ENTRY_POINT_GROUP))
    with pytest.raises(PluginError, match="broken = surely_not_there"):
        plugins.load_installed_plugins()
