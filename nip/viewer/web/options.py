"""``ViewerOptions``: what the viewer shows, and where it keeps its index."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ViewerOptions:
    """What the viewer shows, and where it keeps its index."""

    runs_dir: Path
    """Folder of the runs, which the viewer only reads."""

    index: Path
    """File of the search index, a cache that can be deleted at any time."""

    data_dir: str | None = None
    """Folder of the datasets; None: for each run the one that it used last."""


def default_index(runs_dir: Path) -> Path:
    """Return the index of a folder of runs in the user's cache folder.

    Parameters
    ----------
    runs_dir : Path
        Folder of the runs; each has an index of its own.
    """
    import hashlib

    import platformdirs

    name = hashlib.sha256(str(runs_dir.resolve()).encode()).hexdigest()[:16]
    return Path(platformdirs.user_cache_dir("nip")) / "viewer" / f"{name}.db"
