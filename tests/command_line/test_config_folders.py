"""Which YAML files are found under which names."""

from pathlib import Path

from nip.command_line.config_folders import ConfigFolders, builtin_configs, own_configs
from tests.source_files import REPOSITORY


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


def test_hydra_is_told_the_whole_paths_in_the_order_of_the_search(working_folder: Path) -> None:
    root = working_folder.resolve()
    assert ConfigFolders(Path("main")).hydra_flags() == ["--config-path", str(root / "main")]
    assert ConfigFolders(Path("main"), Path("mine")).hydra_flags() == [
        *("--config-path", str(root / "mine")),
        *("--config-dir", str(root / "main")),
    ]


def test_the_primary_file_is_the_first_that_is_found(tmp_path: Path) -> None:
    folders = ConfigFolders(tmp_path / "main", tmp_path / "extra")
    assert folders.primary == tmp_path / "main" / "config.yaml"
    write(tmp_path / "main" / "config.yaml")
    assert folders.primary == tmp_path / "main" / "config.yaml"
    write(tmp_path / "extra" / "config.yaml")
    assert folders.primary == tmp_path / "extra" / "config.yaml"


def test_configs_of_the_current_folder_are_those_of_the_user(working_folder: Path) -> None:
    builtin, own = working_folder / "built_in", working_folder.resolve() / "configs"
    assert own_configs(builtin) is None
    own.mkdir()
    assert own_configs(builtin) is None, "it has no experiments"
    write(own / "experiment" / "mine.yaml")
    assert own_configs(builtin) == own
    assert own_configs(own) is None, "it is the built-in one"
    write(own / "config.yaml")
    assert own_configs(builtin) is None, "its primary file is of another program"
    (own / "config.yaml").write_text("defaults: [nip_defaults]")
    assert own_configs(builtin) == own


def test_the_experiments_of_a_clone_are_built_in() -> None:
    assert builtin_configs() == REPOSITORY / "configs"
