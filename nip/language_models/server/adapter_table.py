"""The LoRA adapters that a server has loaded."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LoadedAdapter:
    """A loaded adapter."""

    name: str
    """Name of the model in requests."""

    path: str
    """Folder of the adapter, as the client has named it."""

    used_path: str
    """Folder of the adapter that answers."""


class AdapterTable:
    """The loaded adapters by name; in memory, since a vLLM server that restarts has none.

    A vLLM server keeps what it has computed with an adapter under its name, and answers with it
    after another adapter was loaded under that name (vllm-project/vllm, issue 42125). Here the
    first adapter of a name goes on answering.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, LoadedAdapter] = {}
        self._first_paths: dict[str, str] = {}

    def load(self, name: str, path: str) -> None:
        """Load an adapter under a name that is free."""
        assert name not in self._loaded, name
        used = self._first_paths.setdefault(name, path)
        self._loaded[name] = LoadedAdapter(name, path, used)

    def unload(self, name: str) -> None:
        """Unload an adapter."""
        del self._loaded[name]

    def get(self, name: str) -> LoadedAdapter | None:
        """Return the adapter with a name; None if there is none."""
        return self._loaded.get(name)

    def all(self) -> list[LoadedAdapter]:
        """Return all adapters in the order of their loading."""
        return list(self._loaded.values())


def is_adapter_folder(path: str) -> bool:
    """Return whether a folder has the files of an adapter."""
    files = ("adapter_config.json", "adapter_model.safetensors")
    return all((Path(path) / file).is_file() for file in files)
