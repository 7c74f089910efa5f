"""Checking and loading a model's folder. Nothing in it is executed or unpickled."""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nip.errors import ParameterError


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to write."""

    model: Any
    """The ``transformers`` model for causal language modelling."""

    tokenizer: Any
    """Its tokenizer, padding on the left."""

    end_ids: frozenset[int]
    """Tokens that end an answer."""

    context_length: int | None
    """Most tokens of a prompt and its answer together; None where the folder does not say."""


def check_folder(name: str) -> Path:
    """Return the folder of a model after looking at what it holds, without loading it.

    Raises
    ------
    ParameterError
        If it is no folder of a model in safetensors, or ``transformers`` is not installed.
    """
    folder = Path(name).expanduser()
    if importlib.util.find_spec("transformers") is None:
        raise ParameterError(
            f"The local model {name!r} needs the package transformers, which is not installed. "
            f"Run: pip install 'nip[lm-local]'"
        )
    if not folder.is_dir():
        raise ParameterError(
            f"The name of a local model must be the folder that it lies in, got {name!r}, where "
            f"there is none. Download it with: hf download NAME --local-dir FOLDER"
        )
    if not (folder / "config.json").is_file():
        raise ParameterError(
            f"The folder {name!r} of a local model has no config.json. Name the folder that "
            f"save_pretrained wrote; adapters must be merged into their model before."
        )
    if not any(folder.glob("*.safetensors")):
        raise ParameterError(
            f"The folder {name!r} of a local model has no *.safetensors. Other formats of weights "
            f"can run code when they are loaded: convert them with save_pretrained."
        )
    return folder


def load_folder(folder: Path) -> LoadedModel:
    """Load a model onto the GPU if there is one, else in single precision onto the CPU.

    Raises
    ------
    ParameterError
        If the folder's files cannot be used.
    """
    import torch

    transformers: Any = importlib.import_module("transformers")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    how = {"local_files_only": True, "trust_remote_code": False}
    # Its bar would be drawn into the one of the run.
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left", **how)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            dtype="auto" if device == "cuda" else torch.float32,
            **how,
        )
    except Exception as error:
        raise ParameterError(
            f"The local model {str(folder)!r} cannot be loaded: {error} "
            f"Check that the folder is complete and made for transformers 5."
        ) from error
    end_ids = _end_ids(model, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = min(end_ids, default=0)
    # Habits of sampling that the folder suggests, such as a penalty for repetition, would make an
    # answer depend on the padding.
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=sorted(end_ids) or None, pad_token_id=tokenizer.pad_token_id
    )
    model.eval().to(device)
    return LoadedModel(model, tokenizer, end_ids, _context_length(model.config))


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    found = model.generation_config.eos_token_id
    ids = found if isinstance(found, list) else [found]
    return frozenset(each for each in [*ids, tokenizer.eos_token_id] if each is not None)


def _context_length(config: Any) -> int | None:
    length = getattr(config.get_text_config(), "max_position_embeddings", None)
    return length if isinstance(length, int) else None
