"""The text of ``--help``."""

from pathlib import Path

import pytest

from nip.command_line.config_folders import ConfigFolders
from nip.command_line.help_text import help_text
from nip.errors import UnknownNameError
from tests.source_files import REPOSITORY

FOLDERS = ConfigFolders(REPOSITORY / "configs")


def helped(*words: str) -> str:
    return help_text(words, FOLDERS)


def test_a_group_is_told_with_default_meaning_and_values() -> None:
    lines = helped("rl").splitlines()
    place = lines.index("  rl.gamma = 0.9")
    assert lines[place + 1].startswith(" " * 6)
    assert not any(line.startswith("  ppo.") for line in lines)
    assert "`" not in "".join(lines)


def test_several_groups_come_in_the_order_of_the_words() -> None:
    text = helped("settings", "ppo")
    assert 0 <= text.index("settings.num_threads = 1") < text.index("ppo.clip_epsilon = ")


def test_what_must_be_given_is_called_required() -> None:
    lines = helped("root").splitlines()
    assert [f"  {name} = required" in lines for name in ("scenario", "seed")] == [True, False]


def test_a_misspelt_group_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"group of parameters.*'pppo'.*'ppo'"):
        helped("pppo")
    with pytest.raises(UnknownNameError, match=r"'setting'.*'settings'"):
        helped("setting")


def test_the_overview_lists_the_experiments_of_both_folders(tmp_path: Path) -> None:
    (tmp_path / "experiment" / "deep").mkdir(parents=True)
    (tmp_path / "experiment" / "deep" / "own.yaml").write_text("# @package _global_\n")
    text = help_text([], ConfigFolders(FOLDERS.main, tmp_path))
    words = text.replace(",", " ").split()
    assert {"gi_nip_ppo", "deep/own"} <= set(words)


def test_the_overview_stands_in_two_columns_of_a_terminal() -> None:
    text = helped()
    entries = text.partition("What can be chosen")[2].splitlines()
    assert max(map(len, entries)) <= 98
    names = {line[2:].split("  ")[0].strip() for line in entries if line[:2] == "  " != line[2:4]}
    assert {"scenario", "run_id", "settings.NAME", "agents", "ppo", "--multirun"} <= names
    for line in entries:
        assert not line.startswith("  ") or line[:24].strip() == "" or line[23] == " "


def test_overrides_are_read_for_their_plugins_alone(working_folder: Path) -> None:
    (working_folder / "named_plugin.py").write_text("raise RuntimeError('it was loaded')\n")
    with pytest.raises(Exception, match="it was loaded"):
        helped("plugins=[./named_plugin.py]", "ppo")
    assert helped("seed=3", "ppo") == helped("ppo")
