"""A dialogue stays with its replica, and goes to another if that cannot be reached."""

import asyncio

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, ChatModel, ModelSpec, Sampling
from nip.language_models.errors import ModelConnectionError
from nip.language_models.fine_tuning import check_fine_tuning_access
from nip.language_models.provider_registry import check_access
from nip.language_models.providers import replicas as module
from tests.language_models.providers.replica_servers import (
    Servers,
    say,
    start_servers,
    with_model,
)

DIALOGUES = [f"train/0/{number}" for number in range(30)]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    return start_servers(monkeypatch, 3)


def spec_of(servers: Servers) -> ModelSpec:
    return ModelSpec("openai", "base", servers.addresses)


async def placement(model: ChatModel, servers: Servers) -> dict[str, str]:
    """Ask once in each dialogue; return where it was answered."""
    places = {}
    for dialogue in DIALOGUES:
        servers.requests.clear()
        await say(model, dialogue)
        (places[dialogue],) = servers.where()
    return places


def test_a_dialogue_stays_and_dialogues_are_spread(servers: Servers) -> None:
    async def work(model: ChatModel) -> list[dict[str, str]]:
        return [await placement(model, servers) for _ in range(2)]

    first, second = with_model(spec_of(servers), work)
    (later,) = with_model(spec_of(servers), work)[:1]
    assert first == second == later
    assert {*first.values()} == {*servers.addresses}


def test_only_the_dialogues_of_an_unreachable_replica_move_and_they_return(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module, "_now", lambda: clock[0])
    dead = servers.addresses[0]

    async def work(model: ChatModel) -> tuple[dict[str, str], ...]:
        before = await placement(model, servers)
        servers.stop(dead)
        with pytest.warns(UserWarning, match="server0:8000/v1 is unreachable. Its dialogues"):
            without = await placement(model, servers)
        servers.start(dead)
        still_without = await placement(model, servers)
        clock[0] += module.RETRY_S
        with pytest.warns(UserWarning, match="server0:8000/v1 is reachable again"):
            after = await placement(model, servers)
        return before, without, still_without, after

    before, without, still_without, after = with_model(spec_of(servers), work)
    assert without == still_without
    assert dead not in without.values()
    assert {name for name in DIALOGUES if before[name] != without[name]} == {
        name for name in DIALOGUES if before[name] == dead
    }
    assert after == before


def test_without_any_replica_the_error_is_that_of_an_outage(servers: Servers) -> None:
    for address in servers.addresses:
        servers.stop(address)

    async def work(model: ChatModel) -> ModelConnectionError:
        with (
            pytest.warns(UserWarning, match="is unreachable"),
            pytest.raises(ModelConnectionError) as caught,
        ):
            await say(model, "a")
        return caught.value

    assert with_model(spec_of(servers), work).is_unreachable


def test_requests_without_a_dialogue_are_placed_by_their_opening(servers: Servers) -> None:
    def messages(number: int, num_turns: int) -> list[ChatMessage]:
        turns = [ChatMessage(role="user", content=f"question {number}")]
        for turn in range(num_turns):
            turns.append(ChatMessage(role="assistant", content=f"answer {turn}"))
            turns.append(ChatMessage(role="user", content="Go on."))
        return turns

    async def work(model: ChatModel) -> None:
        for number in range(10):
            for num_turns in range(3):
                await model.complete(messages(number, num_turns), Sampling())

    with_model(spec_of(servers), work)
    places = servers.where()
    assert all(len({*places[start : start + 3]}) == 1 for start in range(0, 30, 3))
    assert len({*places}) == 3


def test_one_of_many_requests_tries_an_unreachable_replica(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module, "_now", lambda: clock[0])
    dead = servers.addresses[0]
    tried: list[str] = []
    original = servers.handle_async_request

    async def counted(request):
        tried.append(request.url.host)
        return await original(request)

    monkeypatch.setattr(servers, "handle_async_request", counted)
    servers.stop(dead)

    async def work(model: ChatModel) -> None:
        with pytest.warns(UserWarning, match="is unreachable"):
            await placement(model, servers)
        clock[0] += module.RETRY_S
        await asyncio.gather(*(say(model, dialogue) for dialogue in DIALOGUES))

    with_model(spec_of(servers), work)
    assert tried.count("server0") == 2


def test_addresses_are_checked_one_by_one() -> None:
    with pytest.raises(ParameterError, match="base_url must be a URL"):
        check_access(ModelSpec("openai", "m", ("http://a:1/v1", "nowhere")))
    two = ("http://a:1/v1", "http://b:1/v1")
    with pytest.raises(ParameterError, match="backend='openai' needs a single base_url, got"):
        check_fine_tuning_access("openai", ModelSpec("openai", "m", two))


def test_specs_with_several_addresses_survive_the_journal() -> None:
    spec = ModelSpec("openai", "m", ("http://a:1/v1", "http://b:1/v1"))
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    one = ModelSpec("openai", "m", "http://a:1/v1")
    assert sorted([spec, one]) == [one, spec]
    assert [each.base_url for each in spec.of_replicas()] == ["http://a:1/v1", "http://b:1/v1"]
