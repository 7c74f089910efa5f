import asyncio
from contextlib import ExitStack

from openai import AsyncOpenAI

from nip.language_models.providers.client_pool import ClientPool


def make_pool() -> ClientPool:
    return ClientPool(lambda: AsyncOpenAI(api_key="none", base_url="http://localhost/v1"))


def test_requests_after_one_another_share_one_client() -> None:
    pool = make_pool()
    lent = []
    for _ in range(50):
        with pool.lend() as client:
            lent.append(client)
    assert len({id(client) for client in lent}) == len(pool) == 1


def test_many_requests_at_once_are_spread_evenly_over_few_clients() -> None:
    pool = make_pool()
    for _ in range(2):
        with ExitStack() as stack:
            lent = [id(stack.enter_context(pool.lend())) for _ in range(240)]
        assert sorted(lent.count(client) for client in set(lent)) == [40, 100, 100]
    assert len(pool) == 3


def test_a_failed_request_gives_its_client_back() -> None:
    pool = make_pool()
    for _ in range(100):
        try:
            with pool.lend():
                raise ConnectionError
        except ConnectionError:
            pass
    assert len(pool) == 1


def test_closing_closes_all_clients() -> None:
    pool = make_pool()
    with ExitStack() as stack:
        clients = [stack.enter_context(pool.lend()) for _ in range(20)]
    asyncio.run(pool.aclose())
    assert all(client.is_closed() for client in clients)
