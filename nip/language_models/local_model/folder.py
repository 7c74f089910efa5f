"""Check and load a model folder, without executing or unpickling any of its files."""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nip.errors import ParameterError


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


def check_folder(name: str) -> Path:
    """Return the folder of a model after checking its files, without loading them.

    Raise ``ParameterError`` if it has no model in safetensors, or ``transformers`` is missing.
    """
    folder = Path(name).expanduser()
    require_transformers(f"The local model {name!r}")
    if not folder.is_dir():
        raise ParameterError(
            f"The name of a local model must be the path of its folder, got {name!r}, which does "
            f"not exist. Download the model with: hf download NAME --local-dir FOLDER"
        )
    if not (folder / "config.json").is_file():
        raise ParameterError(
            f"The folder {name!r} of a local model has no config.json. Give a folder written by "
            f"save_pretrained; merge adapters into their base model first."
        )
    if not any(folder.glob("*.safetensors")):
        raise ParameterError(
            f"The folder {name!r} of a local model has no *.safetensors. Other weight formats can "
            f"execute code when they are loaded: convert them with save_pretrained."
        )
    return folder


def require_transformers(what: str) -> None:
    """Raise ``ParameterError`` if ``transformers``, which ``what`` needs, is missing."""
    if importlib.util.find_spec("transformers") is None:
        raise ParameterError(
            f"{what} needs the package transformers, which is not installed. Run: "
            "pip install 'nip[lm-local]'"
        )


def load_folder(folder: Path) -> LoadedModel:
    """Load a model onto the GPU if there is one, otherwise in single precision onto the CPU."""
    import torch

    transformers: Any = importlib.import_module("transformers")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    options = {"local_files_only": True, "trust_remote_code": False}
    # Its progress bar would be drawn over that of the run.
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, padding_side="left", **options
        )
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            dtype="auto" if device == "cuda" else torch.float32,
            **options,
        )
    except Exception as error:
        raise ParameterError(
            f"The local model {str(folder)!r} cannot be loaded: {error} "
            f"Check that the folder is complete and compatible with transformers 5."
        ) from error
    end_ids = _end_ids(model, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = min(end_ids, default=0)
    # Discard the folder's generation defaults: a repetition penalty, for example, would make a
    # completion depend on the padding, and so on the rest of the batch.
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
