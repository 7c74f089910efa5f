"""A model folder is loaded without its generation defaults; torch is replaced by stand-ins."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nip.errors import ParameterError
from nip.language_models.local_model.folder import LoadedModel, load_folder


class StandInModel:
    """Stands in for a model of `transformers`."""

    def __init__(self, end_ids: Any, context_length: Any) -> None:
        self.generation_config = SimpleNamespace(eos_token_id=end_ids, repetition_penalty=5.0)
        text_config = SimpleNamespace(max_position_embeddings=context_length)
        self.config = SimpleNamespace(get_text_config=lambda: text_config)
        self.device: str | None = None
        self.num_weights = 10**9
        self.is_double = False
        self.is_training = True

    def num_parameters(self) -> int:
        return self.num_weights

    def double(self) -> None:
        self.is_double = True

    def eval(self) -> "StandInModel":
        self.is_training = False
        return self

    def to(self, device: str) -> "StandInModel":
        self.device = device
        return self


class Library:
    """Stands in for `torch` and `transformers`, and records how a model is loaded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model = StandInModel(2, 160)
        self.tokenizer = SimpleNamespace(pad_token_id=None, eos_token_id=2)
        self.has_gpu = False
        self.error: Exception | None = None
        self.asked: dict[str, Any] = {}
        cuda = SimpleNamespace(is_available=lambda: self.has_gpu)
        torch = SimpleNamespace(cuda=cuda, float32="single")
        logging = SimpleNamespace(disable_progress_bar=lambda: None)
        transformers = SimpleNamespace(
            AutoTokenizer=SimpleNamespace(from_pretrained=lambda *_, **__: self.tokenizer),
            AutoModelForCausalLM=SimpleNamespace(from_pretrained=self._load_model),
            GenerationConfig=SimpleNamespace,
            utils=SimpleNamespace(logging=logging),
        )
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setitem(sys.modules, "transformers", transformers)

    def _load_model(self, folder: Path, **options: Any) -> StandInModel:
        if self.error is not None:
            raise self.error
        self.asked = options
        return self.model

    def load(self) -> LoadedModel:
        return load_folder(Path("folder"))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    return Library(monkeypatch)


@pytest.mark.parametrize(
    ("of_model", "of_tokenizer", "expected"),
    [
        (7, 3, {3, 7}),
        ([7, 9], 7, {7, 9}),
        (None, 3, {3}),
        (0, None, {0}),
        (None, None, set()),
    ],
)
def test_the_ends_of_model_and_tokenizer_all_end_a_completion(
    library: Library, of_model: Any, of_tokenizer: int | None, expected: set[int]
) -> None:
    library.model = StandInModel(of_model, 160)
    library.tokenizer.eos_token_id = of_tokenizer
    loaded = library.load()
    assert loaded.end_ids == expected
    config = loaded.model.generation_config
    assert config.eos_token_id == (sorted(expected) or None)
    # Padding needs some token, even if none ends a completion.
    assert config.pad_token_id == loaded.tokenizer.pad_token_id == min(expected, default=0)


def test_a_padding_token_is_kept_and_a_repetition_penalty_is_not(library: Library) -> None:
    library.tokenizer.pad_token_id = 0
    config = library.load().model.generation_config
    assert config.pad_token_id == 0
    assert not hasattr(config, "repetition_penalty")


@pytest.mark.parametrize(
    ("has_gpu", "device", "dtype"), [(True, "cuda", "auto"), (False, "cpu", "single")]
)
def test_a_model_is_loaded_onto_the_gpu_if_there_is_one_and_never_runs_code(
    library: Library, has_gpu: bool, device: str, dtype: str
) -> None:
    library.has_gpu = has_gpu
    loaded = library.load()
    assert (loaded.model.device, loaded.model.is_training) == (device, False)
    assert library.asked == {
        "use_safetensors": True,
        "dtype": dtype,
        "local_files_only": True,
        "trust_remote_code": False,
    }


@pytest.mark.parametrize(
    ("has_gpu", "num_weights", "is_double"),
    [(False, 5_000_000, True), (False, 5_000_001, False), (True, 1, False)],
)
def test_a_small_model_on_a_cpu_computes_in_double_precision(
    library: Library, has_gpu: bool, num_weights: int, is_double: bool
) -> None:
    library.has_gpu = has_gpu
    library.model.num_weights = num_weights
    assert library.load().model.is_double is is_double


@pytest.mark.parametrize(("written", "expected"), [(160, 160), (None, None), ("auto", None)])
def test_a_context_length_that_is_no_number_counts_as_unknown(
    library: Library, written: Any, expected: int | None
) -> None:
    library.model = StandInModel(2, written)
    assert library.load().context_length == expected


def test_a_folder_that_cannot_be_loaded_is_named_with_the_reason(library: Library) -> None:
    library.error = ValueError("The weights are torn.")
    with pytest.raises(ParameterError, match=r"'folder' cannot be loaded: The weights are torn\."):
        library.load()


def test_two_models_are_not_loaded_at_the_same_time(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading in two threads at once leaves one of the models without weights."""
    meeting = threading.Barrier(2)
    met = []

    def load(folder: Path, **_: Any) -> StandInModel:
        try:
            meeting.wait(0.2)
            met.append(folder)
        except threading.BrokenBarrierError:
            pass
        return library.model

    monkeypatch.setattr(sys.modules["transformers"].AutoModelForCausalLM, "from_pretrained", load)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(load_folder, [Path("one"), Path("two")]))
    assert met == []
