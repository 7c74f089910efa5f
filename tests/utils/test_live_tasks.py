"""Working on many things at once: never more than allowed, and not after an error."""

import asyncio
from collections.abc import Iterator

import pytest

from nip.errors import ParameterError
from nip.utils.live_tasks import run_all


def test_things_are_taken_only_as_there_is_room():
    taken, live, most = 0, 0, 0

    def things() -> Iterator[int]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield number

    async def work(number: int) -> None:
        nonlocal live, most
        live += 1
        most = max(most, live)
        assert taken <= number + 4
        await asyncio.sleep(0)
        live -= 1

    asyncio.run(run_all(things(), work, max_live=3))
    assert (taken, live, most) == (20, 0, 3)


@pytest.mark.parametrize("error", [ParameterError("no such thing"), KeyError("a bug")])
def test_the_first_error_stops_all_and_is_raised_by_itself(error):
    finished = []

    async def work(number: int) -> None:
        if number == 2:
            raise error
        await asyncio.sleep(0 if number < 2 else 60)
        finished.append(number)

    with pytest.raises(type(error)) as caught:
        asyncio.run(run_all(range(100), work, max_live=4))
    assert caught.value is error
    assert finished == [0, 1]
    # A user's error comes alone, any other with its story.
    assert (caught.value.__cause__ is None) == isinstance(error, ParameterError)
