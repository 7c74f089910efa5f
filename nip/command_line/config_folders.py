"""Folders of YAML files from which experiments are composed."""

from dataclasses import dataclass
from pathlib import Path

from nip.errors import ParameterError

EXPERIMENT = "experiment"
"""Config group of the named experiments, and the folder in which they lie."""

DEFAULTS_NAME = "nip_defaults"
"""Entry of the primary file that stands for the defaults of the dataclasses."""


@dataclass(frozen=True)
class ConfigFolders:
    """Folders that are searched for YAML files."""

    main: Path
    """Folder of the primary file."""

    extra: Path | None = None
    """Additional folder, which takes precedence."""

    config_name: str = "config"
    """Name of the primary file, without its suffix."""

    @property
    def search_path(self) -> list[Path]:
        """The folders in the order in which they are searched."""
        return [self.main] if self.extra is None else [self.extra, self.main]

    @property
    def primary(self) -> Path:
        """The primary file."""
        files = [folder / f"{self.config_name}.yaml" for folder in self.search_path]
        return next((path for path in files if path.is_file()), files[-1])

    def experiments(self) -> dict[str, Path]:
        """Return the files of the named experiments by name."""
        return {
            path.relative_to(folder / EXPERIMENT).with_suffix("").as_posix(): path
            for folder in reversed(self.search_path)
            for path in sorted((folder / EXPERIMENT).rglob("*.yaml"))
        }

    def hydra_flags(self) -> list[str]:
        """Return the flags that let Hydra's own application search the folders."""
        flags = zip(("--config-path", "--config-dir"), self.search_path, strict=False)
        return [word for flag, folder in flags for word in (flag, str(folder.resolve()))]


def builtin_configs() -> Path:
    """Return the folder of the built-in experiments: in an installed package, or in a clone."""
    package = Path(__file__).parents[1]
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def own_configs(builtin: Path) -> Path | None:
    """Return the folder ``configs`` of the current folder if it has experiments of the user.

    It is not used if it is the built-in one, or if its primary file was written for another
    program.
    """
    folder = Path("configs").resolve()
    primary = folder / f"{ConfigFolders.config_name}.yaml"
    try:
        is_used = folder != builtin.resolve() and (folder / EXPERIMENT).is_dir()
        is_foreign = primary.is_file() and DEFAULTS_NAME not in primary.read_text(errors="replace")
    except OSError as error:
        raise ParameterError(
            f"{folder} cannot be read: {error.strerror}. Make it readable, or start in another "
            "folder."
        ) from error
    return folder if is_used and not is_foreign else None
