"""Check and load a folder of a model or adapter, without executing or unpickling its files."""

import importlib
import importlib.util
import json
import shlex
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nip.command_table import typed
from nip.errors import ParameterError
from nip.utils.files import with_home

_INSTALL = "pip install 'nip[lm-local]'"

ADAPTER_CONFIG = "adapter_config.json"
"""File by which the folder of an adapter is recognised."""

_MAX_DOUBLE = 5_000_000
"""Number of weights up to which double precision costs little."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"
"""File of the weights of an adapter."""

FOLDER_PROVIDERS = ("local", "vllm")
"""Providers whose models may be folders on this machine."""

# While transformers builds a model, it lets tensors of the whole process be made without memory, so
# that of two models that are loaded in two threads one would have no weights.
LOADING = threading.Lock()
"""Held while a model or an adapter is loaded in this process."""

_MAKING_COMMANDS = {"quotes_models": "quotes-models"}
"""Names of the commands that make models, by their folder in the data folder."""


@dataclass(frozen=True)
class AdapterFolder:
    """The folder of an adapter, and that of the model which it changes."""

    adapter: Path
    """Folder with ``adapter_config.json`` and ``adapter_model.safetensors``."""

    model: Path
    """Folder of the model."""


@dataclass(frozen=True)
class LoadedModel:
    """A loaded model."""

    model: Any
    """The ``transformers`` model for causal language modelling."""

    tokenizer: Any
    """Its tokenizer, with padding on the left."""

    end_ids: frozenset[int]
    """Token IDs that end a completion."""

    context_length: int | None
    """Maximum tokens of prompt and completion together; None if the folder does not specify it."""

    is_double: bool = False
    """Whether it computes in double precision."""


def check_folder(name: str, adapted_model: str | None = None) -> Path:
    """Return the folder of a model or adapter after checking its files, without loading them.

    Parameters
    ----------
    name : str
        Path of the folder.
    adapted_model : str, optional
        Folder of the model that an adapter changes; by default the one that the adapter names.

    Raises
    ------
    ParameterError
        If it has no weights in safetensors, or a package is missing.
    """
    what = f"The local model {name!r}"
    require_package("transformers", what)
    folder = with_home(name)
    found = find_model(folder, adapted_model)
    if isinstance(found, AdapterFolder):
        require_package("peft", what)
        check_adapter(folder)
    _check_model(found.model if isinstance(found, AdapterFolder) else found)
    return folder


def check_adapter(folder: Path) -> None:
    """Check the files of an adapter, without those of its model.

    Raises
    ------
    ParameterError
        If it cannot be used.
    """
    find_model(folder)
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise ParameterError(
            f"The folder {str(folder)!r} of an adapter has no {ADAPTER_WEIGHTS}. Other weight "
            "formats can execute code when they are loaded: convert them with save_pretrained."
        )


def find_model(folder: Path, adapted_model: str | None = None) -> Path | AdapterFolder:
    """Return the folder itself if it is that of a model, or that of an adapter and its model.

    Raises
    ------
    ParameterError
        If it is the folder of an adapter that cannot be used.
    """
    config = folder / ADAPTER_CONFIG
    if not config.is_file():
        return folder
    try:
        content = json.loads(config.read_text("utf-8"))
        kind, model = content["peft_type"], content["base_model_name_or_path"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ParameterError(
            f"{config} cannot be read: {type(error).__name__}: {error}. Restore the file."
        ) from error
    if kind != "LORA":
        raise ParameterError(
            f"The adapter {str(folder)!r} is of the type {kind!r}, only LORA can be used. Merge it "
            "into its model."
        )
    return AdapterFolder(folder, with_home(adapted_model or str(model)))


def require_transformers(what: str) -> None:
    """Raise ``ParameterError`` if ``transformers``, which ``what`` needs, is missing."""
    require_package("transformers", what)


def require_package(package: str, what: str) -> None:
    """Raise ``ParameterError`` if a package of the extra ``lm-local`` is missing."""
    if importlib.util.find_spec(package) is None:
        raise ParameterError(
            f"{what} needs the package {package}, which is not installed. Run: {_INSTALL}"
        )


def _check_model(folder: Path) -> None:
    name = str(folder)
    if not folder.is_dir():
        raise ParameterError(
            f"The name of a local model must be the path of its folder, got {name!r}, which does "
            f"not exist. {_way_to_get(folder)}"
        )
    if not (folder / "config.json").is_file():
        raise ParameterError(
            f"The folder {name!r} of a local model has no config.json. Give a folder written by "
            f"save_pretrained."
        )
    if not any(folder.glob("*.safetensors")):
        raise ParameterError(
            f"The folder {name!r} of a local model has no *.safetensors. Other weight formats can "
            f"execute code when they are loaded: convert them with save_pretrained."
        )


def _way_to_get(folder: Path) -> str:
    """Name the command that makes the model of a missing folder, or downloads one."""
    home = folder.parent.parent
    if home.name not in _MAKING_COMMANDS:
        return "Download the model with: hf download NAME --local-dir FOLDER"
    command = f"{typed(_MAKING_COMMANDS[home.name])} {shlex.quote(folder.parent.name)}"
    if str(home.parent) != "data":
        command += f" --data-dir {shlex.quote(str(home.parent))}"
    return f"Make it with: {command}"


def load_folder(source: Path) -> LoadedModel:
    """Load the model of a folder onto the GPU if there is one, otherwise onto the CPU.

    On the CPU it computes in single precision, and in double precision if it is small: then the
    rest of a batch, which affects the rounding, practically never changes a token, so that a
    resumed run samples the same as one that was not interrupted.
    """
    with LOADING:
        return _load_folder(source)


def _load_folder(source: Path) -> LoadedModel:
    import torch

    transformers: Any = importlib.import_module("transformers")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = read_tokenizer(source)
    model = read_model(source, "auto" if device == "cuda" else "float32")
    end_ids = _end_ids(model, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = min(end_ids, default=0)
    # Discard the folder's generation defaults: a repetition penalty, for example, would make a
    # completion depend on the padding, and so on the rest of the batch.
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=sorted(end_ids) or None, pad_token_id=tokenizer.pad_token_id
    )
    model.eval().to(device)
    is_double = device == "cpu" and model.num_parameters() <= _MAX_DOUBLE
    if is_double:
        model.double()
    return LoadedModel(model, tokenizer, end_ids, _context_length(model.config), is_double)


def read_tokenizer(folder: Path) -> Any:
    """Read the tokenizer of a model, with padding on the left.

    Raises
    ------
    ParameterError
        If its files are missing, damaged or need code.
    """
    transformers: Any = importlib.import_module("transformers")
    try:
        return transformers.AutoTokenizer.from_pretrained(
            folder, padding_side="left", local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise unreadable(folder, error) from error


def read_model(folder: Path, dtype: str) -> Any:
    """Read a model onto the CPU, with weights of a type: ``float32``, ``bfloat16`` or ``auto``.

    Raises
    ------
    ParameterError
        If its files are missing, damaged or need code.
    """
    import torch

    transformers: Any = importlib.import_module("transformers")
    # Its progress bar would be drawn over that of the run.
    transformers.utils.logging.disable_progress_bar()
    try:
        return transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            local_files_only=True,
            trust_remote_code=False,
        )
    except Exception as error:
        raise unreadable(folder, error) from error


def unreadable(folder: Path, error: Exception) -> ParameterError:
    """Return the error for a folder that cannot be loaded."""
    return ParameterError(
        f"The local model {str(folder)!r} cannot be loaded: {error} "
        f"Check that the folder is complete and compatible with transformers 5."
    )


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    found = model.generation_config.eos_token_id
    ids = found if isinstance(found, list) else [found]
    return frozenset(each for each in [*ids, tokenizer.eos_token_id] if each is not None)


def _context_length(config: Any) -> int | None:
    length = getattr(config.get_text_config(), "max_position_embeddings", None)
    return length if isinstance(length, int) else None
