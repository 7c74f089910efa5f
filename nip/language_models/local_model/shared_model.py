"""Models in memory that several callers share, each with an adapter of its own or none."""

import gc
import hashlib
import importlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from nip.language_models.chat import Completion
from nip.language_models.errors import BadRequestError
from nip.language_models.local_model.adapter_library import import_peft
from nip.language_models.local_model.folder import (
    LOADING,
    AdapterFolder,
    LoadedModel,
    find_model,
    load_folder,
    unreadable,
)
from nip.language_models.local_model.generation import Question, answer_together


class SharedModel:
    """A model that is loaded once, with any number of adapters, one of which is active at a time.

    Everything is done in one worker thread, in the order in which it is asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: LoadedModel | None = None
        self._adapted: Any = None
        self._adapters: set[Path] = set()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="local-model")

    def write(
        self, adapter: Path | None, questions: Sequence[Question], name: str
    ) -> "Future[list[Completion | BadRequestError]]":
        """Generate a batch of completions with an adapter, or with the model alone."""
        return self._worker.submit(self._write, adapter, questions, name)

    def forget(self, adapter: Path | None) -> None:
        """Release the memory of an adapter that nobody uses any more."""
        self._worker.submit(self._forget, adapter)

    def close(self) -> None:
        """Wait for the work under way, and release the memory."""
        self._worker.submit(self._release)
        self._worker.shutdown(wait=True)

    def _write(
        self, adapter: Path | None, questions: Sequence[Question], name: str
    ) -> list[Completion | BadRequestError]:
        loaded = self._loaded = self._loaded or load_folder(self._folder)
        with self._active(loaded, adapter):
            return answer_together(loaded, questions, name)

    def _active(self, loaded: LoadedModel, adapter: Path | None) -> AbstractContextManager[object]:
        """Return a context in which an adapter is active, or none."""
        if adapter is None:
            return nullcontext() if self._adapted is None else self._adapted.disable_adapter()
        if adapter not in self._adapters:
            try:
                with LOADING:
                    self._load_adapter(loaded, adapter)
            except Exception as error:
                # The layers of the model may have a part of the adapter.
                self._release()
                raise unreadable(adapter, error) from error
        self._adapted.set_adapter(_name_of(adapter))
        return nullcontext()

    def _load_adapter(self, loaded: LoadedModel, adapter: Path) -> None:
        name = _name_of(adapter)
        if self._adapted is None:
            # The layers of the model get the adapter in place: it stays the same object.
            self._adapted = import_peft().PeftModel.from_pretrained(
                loaded.model, adapter, adapter_name=name, local_files_only=True
            )
        else:
            self._adapted.load_adapter(adapter, adapter_name=name, local_files_only=True)
        self._adapted.eval().to(loaded.model.device)
        if loaded.is_double:
            self._adapted.double()
        self._adapters.add(adapter)

    def _forget(self, adapter: Path | None) -> None:
        # The last adapter is only small, and PEFT needs one.
        if adapter in self._adapters and len(self._adapters) > 1:
            self._adapters.remove(adapter)
            self._adapted.delete_adapter(_name_of(adapter))

    def _release(self) -> None:
        self._loaded = self._adapted = None
        self._adapters.clear()
        gc.collect()
        torch: Any = importlib.import_module("torch")
        if torch.cuda.is_available():
            # Fine-tuning jobs, which are other processes, need the memory of the GPU.
            torch.cuda.empty_cache()


class ModelPool:
    """The models that this process has in memory, by folder, and their users."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[Path, SharedModel] = {}
        self._users: dict[tuple[Path, Path | None], int] = {}

    def acquire(
        self, folder: Path, adapted_model: str | None
    ) -> tuple[SharedModel, Path, Path | None]:
        """Return the model in a folder, its key, and its adapter if it is one.

        Every call needs one of ``release`` with key and adapter. ``adapted_model`` is as in
        ``check_folder``.
        """
        found = find_model(folder, adapted_model)
        is_adapter = isinstance(found, AdapterFolder)
        key = (found.model if isinstance(found, AdapterFolder) else found).absolute()
        adapter = folder.absolute() if is_adapter else None
        with self._lock:
            shared = self._models.get(key)
            if shared is None:
                shared = self._models[key] = SharedModel(key)
            self._users[key, adapter] = self._users.get((key, adapter), 0) + 1
        return shared, key, adapter

    def release(self, key: Path, adapter: Path | None) -> None:
        """Note that a user is gone; what has none any more is released from memory."""
        with self._lock:
            self._users[key, adapter] -= 1
            if self._users[key, adapter]:
                return
            del self._users[key, adapter]
            shared = self._models[key]
            if any(other == key for other, _ in self._users):
                shared.forget(adapter)
                return
            del self._models[key]
        shared.close()


MODEL_POOL = ModelPool()
"""The pool of this process."""


def _name_of(adapter: Path) -> str:
    """Return a name for PEFT, which allows no dots."""
    return f"adapter_{hashlib.sha256(str(adapter).encode()).hexdigest()[:16]}"
