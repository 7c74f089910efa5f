"""The model that a job trains: all of its weights, or an adapter."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nip.language_models.local_model.adapter_library import import_peft
from nip.language_models.local_model.folder import (
    ADAPTER_CONFIG,
    AdapterFolder,
    check_folder,
    find_model,
    read_model,
    read_tokenizer,
)
from nip.language_models.local_training.job_folder import TrainingRequest
from nip.utils.files import flush_all_to_disk, flush_to_disk

# Weights in any format, and what is written anew. Code is never copied.
_NOT_COPIED = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".onnx", ".py")
_WRITTEN_ANEW = ("config.json", ADAPTER_CONFIG)


@dataclass(frozen=True)
class Learner:
    """A model in training."""

    model: Any
    """The model, a ``PeftModel`` if an adapter is trained."""

    tokenizer: Any
    """Its tokenizer."""

    source: Path
    """Folder of the model, or of the model below the adapter."""

    is_adapter: bool
    """Whether only an adapter is trained."""

    @property
    def context_length(self) -> int | None:
        """Maximum number of tokens; None if unknown."""
        length = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return length if isinstance(length, int) else None

    def save(self, folder: Path) -> None:
        """Write a model folder, or an adapter folder, which appears when it is complete.

        An adapter has the name of its model, but not its tokenizer.
        """
        partial = folder.with_name(f"{folder.name}.partial")
        for each in (partial, folder):
            shutil.rmtree(each, ignore_errors=True)
        partial.mkdir()
        self.model.save_pretrained(partial, safe_serialization=True)
        if self.is_adapter:
            (partial / "README.md").unlink(missing_ok=True)
        else:
            for path in sorted(self.source.iterdir()):
                if _is_copied(path) and not (partial / path.name).exists():
                    shutil.copyfile(path, partial / path.name)
        mode = (partial / _WRITTEN_ANEW[self.is_adapter]).stat().st_mode
        for path in partial.iterdir():
            # safetensors lets nobody else read its files, whatever the umask.
            path.chmod(mode)
        flush_all_to_disk(partial.iterdir())
        flush_to_disk(partial)
        partial.rename(folder)
        flush_to_disk(folder.parent)


def _is_copied(path: Path) -> bool:
    return (
        path.is_file()
        and path.suffix not in _NOT_COPIED
        and not path.name.endswith(".index.json")
        and path.name not in _WRITTEN_ANEW
    )


def build_learner(request: TrainingRequest, device: str, dtype: str) -> Learner:
    """Load a model and make it trainable; a new adapter is drawn from the seed of the request.

    Raises
    ------
    ParameterError
        If the folder of the model or adapter cannot be used.
    """
    folder = check_folder(request.base_model, request.adapted_model)
    found = find_model(folder, request.adapted_model)
    source = found.model if isinstance(found, AdapterFolder) else found
    options = request.options
    is_adapter = options["adaptation"] == "lora"
    in_half = is_adapter and dtype == "bfloat16"
    model = read_model(source, "bfloat16" if in_half else "float32")
    if options["gradient_checkpointing"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    if isinstance(found, AdapterFolder):
        model = _open_adapter(model, found.adapter, is_adapter)
    elif is_adapter:
        model = _new_adapter(model, source, options)
    return Learner(model.to(device), read_tokenizer(source), source, is_adapter)


@contextmanager
def open_fixed_model(
    learner: Learner, request: TrainingRequest, folder: str | None, device: Any, dtype: str
) -> Iterator[Any]:
    """Open a model whose weights are not changed, before the training of another.

    Parameters
    ----------
    learner : Learner
        The model in training, which itself is used where it has the same weights.
    request : TrainingRequest
        The request of the job.
    folder : str, optional
        Folder of a model or adapter; None: that of the model in training.
    device, dtype : str
        Where and how it computes.
    """
    if folder in (None, request.base_model):
        yield learner.model
    elif learner.is_adapter and Path(str(folder)) == learner.source:
        with learner.model.disable_adapter():
            yield learner.model
    else:
        found = find_model(check_folder(str(folder), request.adapted_model), request.adapted_model)
        source = found.model if isinstance(found, AdapterFolder) else found
        in_half = learner.is_adapter and dtype == "bfloat16"
        model = read_model(source, "bfloat16" if in_half else "float32")
        if isinstance(found, AdapterFolder):
            model = _open_adapter(model, found.adapter, is_trainable=learner.is_adapter)
        yield model.to(device).requires_grad_(False)


def _new_adapter(model: Any, source: Path, options: Any) -> Any:
    peft = import_peft()
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=options["lora_rank"],
        lora_alpha=options["lora_alpha"],
        lora_dropout=options["lora_dropout"],
        target_modules=list(options["lora_target_modules"]) or "all-linear",
    )
    config.base_model_name_or_path = str(source)
    return peft.get_peft_model(model, config)


def _open_adapter(model: Any, folder: Path, is_trainable: bool) -> Any:
    """Return the model with the adapter of an earlier job; merged if all weights are trained."""
    peft = import_peft()
    adapted = peft.PeftModel.from_pretrained(
        model, folder, is_trainable=is_trainable, local_files_only=True
    )
    return adapted if is_trainable else adapted.merge_and_unload().requires_grad_(True)
