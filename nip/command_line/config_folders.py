"""Folders of YAML files from which experiments are composed."""

from dataclasses import dataclass
from pathlib import Path

EXPERIMENT = "experiment"
"""Config group of the named experiments, and the folder in which they lie."""


@dataclass(frozen=True)
class ConfigFolders:
    """Folders that are searched for YAML files."""

    main: Path
    """Folder of the primary file."""

    extra: Path | None = None
    """Additional folder, which takes precedence."""

    config_name: str = "config"
    """Name of the primary file, without its suffix."""

    def experiments(self) -> dict[str, Path]:
        """Return the files of the named experiments by name."""
        folders = [self.main] if self.extra is None else [self.main, self.extra]
        return {
            path.relative_to(folder / EXPERIMENT).with_suffix("").as_posix(): path
            for folder in folders
            for path in sorted((folder / EXPERIMENT).rglob("*.yaml"))
        }

    def hydra_overrides(self) -> list[str]:
        """Return the overrides that add the additional folder to Hydra's search path."""
        return [f"hydra.searchpath=['file://{self.extra.resolve()}']"] if self.extra else []
