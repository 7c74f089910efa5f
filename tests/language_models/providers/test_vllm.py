"""Adapters are loaded into the servers under names of their own, and old ones unloaded."""

from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import ChatModel, ModelSpec
from nip.language_models.errors import AdapterError
from nip.language_models.fine_tuning import check_fine_tuning_access
from nip.language_models.local_training.job_folder import JobFolder, TrainingRequest
from nip.language_models.provider_registry import check_access
from nip.language_models.providers.served_adapter import ServedAdapter
from tests.language_models.providers.replica_servers import (
    Servers,
    say,
    start_servers,
    with_model,
    write_adapter,
)

LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    return start_servers(monkeypatch, 2, served_models=("base",))


def make_adapter(run: Path, name: str) -> Path:
    """Write what a job of a group and iteration leaves."""
    job = JobFolder(run / "local_jobs" / f"nip-{name}")
    folder = write_adapter(job.model, f"{run} {name}".encode())
    job.create(TrainingRequest("base", None, "data", "supervised", 1, name=name))
    return folder


def spec_of(servers: Servers, folder: Path | str) -> ModelSpec:
    base = "base" if isinstance(folder, Path) else None
    return ModelSpec("vllm", str(folder), servers.addresses, fine_tuned_from=base)


def use(servers: Servers, folder: Path | str, *dialogues: str) -> list[str]:
    """Ask in some dialogues; return what was requested."""

    async def work(model: ChatModel) -> None:
        for dialogue in dialogues or ("a",):
            await say(model, dialogue)

    servers.requests.clear()
    with_model(spec_of(servers, folder), work)
    return [path for _, path, _ in servers.requests]


def loaded(servers: Servers) -> list[list[str]]:
    """Return the adapters of each server, without the hashes in their names."""
    return [
        [name.rpartition("-")[0] for name in servers.adapters(each)] for each in servers.addresses
    ]


def test_an_adapter_is_loaded_on_every_replica_and_its_predecessor_unloaded(
    servers: Servers, tmp_path: Path
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    assert use(servers, "base") == ["/v1/chat/completions"]
    for folder in (
        make_adapter(run, "prover@1"),
        make_adapter(other, "verifier@1"),
        make_adapter(run, "verifier@1"),
    ):
        use(servers, folder)
    assert loaded(servers) == [["prover@1", "verifier@1", "verifier@1"]] * 2
    paths = use(servers, make_adapter(run, "verifier@2"), "a", "b", "c")
    # Once at each server; the adapters of another group and of another run are left alone.
    assert (paths.count(LOAD), paths.count(UNLOAD)) == (2, 2)
    assert paths.index("/v1/chat/completions") > max(
        index for index, path in enumerate(paths) if path == UNLOAD
    )
    assert loaded(servers) == [["prover@1", "verifier@1", "verifier@2"]] * 2
    remaining = servers.apps[servers.addresses[0]].state.endpoint.adapters.all()[1]
    assert Path(remaining.path).is_relative_to(other)


def test_a_name_stands_for_one_content(tmp_path: Path) -> None:
    first = ServedAdapter.of_folder(make_adapter(tmp_path / "a", "verifier@2"))
    again = ServedAdapter.of_folder(first.folder)
    other = ServedAdapter.of_folder(make_adapter(tmp_path / "b", "verifier@2"))
    assert first == again
    assert first.name.startswith("verifier@2-") and other.name.startswith("verifier@2-")
    assert first.name != other.name
    # An adapter that no job has made is named after its folder.
    copied = write_adapter(tmp_path / "best verifier")
    assert ServedAdapter.of_folder(copied).name.startswith("best verifier-")


def test_a_second_loading_is_no_error(servers: Servers, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path, "verifier@1")
    use(servers, folder)
    assert use(servers, folder).count(LOAD) == 2
    assert loaded(servers) == [["verifier@1"]] * 2


def test_a_server_that_was_restarted_gets_the_adapter_again(
    servers: Servers, tmp_path: Path
) -> None:
    folder = make_adapter(tmp_path, "verifier@1")

    async def work(model: ChatModel) -> None:
        dialogues = [str(number) for number in range(6)]
        for dialogue in dialogues:
            await say(model, dialogue)
        for address in servers.addresses:
            servers.stop(address)
            servers.start(address)
        for dialogue in dialogues:
            await say(model, dialogue)

    with_model(spec_of(servers, folder), work)
    assert loaded(servers) == [["verifier@1"]] * 2


def test_a_replica_that_is_down_at_first_gets_the_adapter_when_it_is_reached(
    servers: Servers, tmp_path: Path
) -> None:
    from nip.language_models.providers import replicas

    down = servers.addresses[0]
    folder = make_adapter(tmp_path, "verifier@1")
    servers.stop(down)

    async def work(model: ChatModel) -> None:
        for number in range(6):
            await say(model, str(number))
        servers.start(down)
        for replica in model._replicas.all:  # type: ignore[attr-defined]
            replica.retry_at = None
        for number in range(6):
            await say(model, str(number))

    with pytest.warns(UserWarning, match="is unreachable"):
        with_model(spec_of(servers, folder), work)
    assert replicas.RETRY_S > 0
    assert loaded(servers) == [["verifier@1"]] * 2


@pytest.mark.parametrize(
    ("options", "damage", "message"),
    [
        ({"serves_adapters": False}, "", "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and the option"),
        ({}, "moved", "must be at the same path on the server's machine: share it"),
        ({"faults": ("server_error?rate=1",)}, "", r"--max-lora-rank of at least"),
    ],
    ids=["no routes", "not shared", "refused"],
)
def test_a_server_that_does_not_load_an_adapter_says_what_to_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options, damage: str, message: str
) -> None:
    servers = start_servers(monkeypatch, 1, **options)
    if damage:
        monkeypatch.setattr(
            "nip.language_models.server.adapters.is_adapter_folder", lambda _: False
        )
    with pytest.raises(AdapterError, match=message):
        use(servers, make_adapter(tmp_path, "verifier@1"))


def test_what_a_server_cannot_load_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    whole = ModelSpec("vllm", str(tmp_path), "http://a:1/v1", fine_tuned_from="base")
    with pytest.raises(ParameterError, match=r"Set local_training.adaptation=lora"):
        check_access(whole)
    with pytest.raises(ParameterError, match="model_provider='vllm' needs the address"):
        check_access(ModelSpec("vllm", "base"))
    folder = write_adapter(tmp_path / "adapter")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ParameterError, match=r"has no adapter_model\.safetensors"):
        check_access(ModelSpec("vllm", str(folder), "http://a:1/v1"))
    with pytest.raises(ParameterError, match="backend='openai' cannot train the model"):
        check_fine_tuning_access("openai", ModelSpec("vllm", "base", "http://a:1/v1"))


def test_a_reused_name_goes_on_answering_as_before() -> None:
    from nip.language_models.server.adapter_table import AdapterTable

    table = AdapterTable()
    table.load("verifier", "first")
    table.unload("verifier")
    table.load("verifier", "second")
    found = table.get("verifier")
    assert found is not None and (found.path, found.used_path) == ("second", "first")
