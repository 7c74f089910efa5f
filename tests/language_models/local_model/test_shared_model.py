"""A model is loaded once for all of its adapters, and each answers as if it were alone."""

import asyncio
import threading
from pathlib import Path

import pytest

pytest.importorskip("peft", reason="the extra lm-local is missing")

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.local_model import shared_model
from nip.language_models.local_model.adapter_library import import_peft
from nip.language_models.local_model.folder import read_model
from nip.language_models.local_model.shared_model import MODEL_POOL
from nip.language_models.provider_registry import ConnectionContext, build_chat_model
from nip.language_models.server import EndpointOptions, create_app
from tests.language_models.local_model.tiny_model import make_model
from tests.language_models.server.clients import open_client

SAMPLING = Sampling(max_tokens=12, seed=3)
QUESTION = [ChatMessage(role="user", content="Is it correct?")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Write two adapters with large random weights."""
    import torch

    folders = []
    for number in range(2):
        config = import_peft().LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
        model = import_peft().get_peft_model(read_model(base, "float32"), config)
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_" in name:  # all of them, so that no other test has a say
                    parameter.copy_(torch.randn(parameter.shape, generator=generator))
        folder = tmp_path_factory.mktemp(f"adapter{number}")
        model.save_pretrained(folder)
        folders.append(folder)
    return folders


def spec_of(folder: Path, base: Path) -> ModelSpec:
    return ModelSpec("local", str(folder), fine_tuned_from=None if folder == base else str(base))


async def ask(folders: list[Path], base: Path) -> list[Completion]:
    """Ask all models at once, twice."""
    models = [build_chat_model(spec_of(each, base), ConnectionContext()) for each in folders]
    try:
        calls = [model.complete(QUESTION, SAMPLING) for model in models]
        calls += [model.complete(QUESTION, SAMPLING) for model in models]
        return list(await asyncio.gather(*calls))
    finally:
        for model in models:
            await model.aclose()


def test_adapters_of_one_model_share_it(
    base: Path, adapters: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []
    original = shared_model.load_folder

    def load(folder: Path):
        loaded.append(folder)
        return original(folder)

    monkeypatch.setattr(shared_model, "load_folder", load)
    folders = [adapters[0], base, adapters[1]]
    alone = [asyncio.run(ask([folder], base))[0] for folder in folders]
    assert len({answer.text for answer in alone}) == 3
    assert len(loaded) == 3
    assert asyncio.run(ask(folders, base)) == [*alone, *alone]
    assert loaded[3:] == [base]
    # Nothing is left in memory.
    assert not MODEL_POOL._models and not MODEL_POOL._users
    assert not [each for each in threading.enumerate() if each.name.startswith("local-model")]


def test_a_damaged_adapter_is_reported_and_harms_no_other(
    base: Path, adapters: list[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "adapter_config.json").write_bytes((adapters[0] / "adapter_config.json").read_bytes())
    (broken / "adapter_model.safetensors").write_bytes(b"torn")

    async def run() -> list[Completion]:
        whole = build_chat_model(spec_of(adapters[1], base), ConnectionContext())
        torn = build_chat_model(spec_of(broken, base), ConnectionContext())
        try:
            first = await whole.complete(QUESTION, SAMPLING)
            with pytest.raises(ParameterError, match="broken' cannot be loaded"):
                await torn.complete(QUESTION, SAMPLING)
            return [first, await whole.complete(QUESTION, SAMPLING)]
        finally:
            await torn.aclose()
            await whole.aclose()

    first, second = asyncio.run(run())
    assert first == second


def test_the_mock_server_answers_as_the_provider(base: Path, adapters: list[Path]) -> None:
    """Adapters that are loaded by vLLM's routes, seeds and stop texts included."""
    expected = [asyncio.run(ask([folder], base))[0].text for folder in (base, *adapters)]

    stop = expected[2][2:4]
    requests = [(str(base), {}), ("a0", {}), ("a1", {}), ("a1", {"stop": [stop]})]

    async def run() -> list[str]:
        options = EndpointOptions(
            brain="local",
            brain_file=str(base),
            served_models=(str(base),),
            serves_adapters=True,
        )
        app = create_app(options)
        try:
            async with open_client(app) as client:
                for number, folder in enumerate(adapters):
                    body = {"lora_name": f"a{number}", "lora_path": str(folder)}
                    await client.post("/load_lora_adapter", cast_to=object, body=body)
                answers = [
                    await client.chat.completions.create(
                        model=name, messages=QUESTION, max_tokens=12, seed=3, **more
                    )
                    for name, more in requests
                ]
        finally:
            await app.state.endpoint.aclose()
        return [answer.choices[0].message.content for answer in answers]

    # The mock API counts words, of which these answers have fewer than the model has tokens.
    *whole, stopped = asyncio.run(run())
    assert whole == expected
    assert stopped == expected[2][: expected[2].find(stop)]
