"""Which YAML files are found under which names."""

from pathlib import Path

from nip.command_line.config_folders import ConfigFolders


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_experiments_are_named_by_their_path_below_the_folder(tmp_path: Path) -> None:
    files = [tmp_path / "experiment" / name for name in ("a.yaml", "deep/er/b.v2.yaml")]
    write(*files, tmp_path / "config.yaml", tmp_path / "experiment" / "notes.txt")
    assert ConfigFolders(tmp_path).experiments() == {"a": files[0], "deep/er/b.v2": files[1]}


def test_a_file_of_the_extra_folder_takes_precedence(tmp_path: Path) -> None:
    main, extra = tmp_path / "main", tmp_path / "extra"
    write(*(main / "experiment" / name for name in ("both.yaml", "only_main.yaml")))
    write(*(extra / "experiment" / name for name in ("both.yaml", "only_extra.yaml")))
    assert ConfigFolders(main, extra).experiments() == {
        "both": extra / "experiment" / "both.yaml",
        "only_main": main / "experiment" / "only_main.yaml",
        "only_extra": extra / "experiment" / "only_extra.yaml",
    }


def test_a_folder_without_experiments_offers_none(tmp_path: Path) -> None:
    assert ConfigFolders(tmp_path, tmp_path / "absent").experiments() == {}


def test_hydra_is_told_the_whole_path_of_the_extra_folder_alone(working_folder: Path) -> None:
    assert ConfigFolders(Path("main")).hydra_overrides() == []
    whole = working_folder.resolve() / "mine"
    assert ConfigFolders(Path("main"), Path("mine")).hydra_overrides() == [
        f"hydra.searchpath=['file://{whole}']"
    ]
