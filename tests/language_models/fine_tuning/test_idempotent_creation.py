"""Objects are created once, although requests fail."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import NipWarning
from nip.language_models.errors import (
    BadRequestError,
    ModelTimeoutError,
    OverloadError,
    RateLimitError,
)
from nip.language_models.fine_tuning.idempotent_creation import (
    PollingPolicy,
    create_idempotently,
    retry,
)
from tests.language_models.fine_tuning.fake_service import FakeTime


class Maker:
    """Makes things; each call meets the next fault, before or after its work is done."""

    def __init__(self, faults):
        self.faults = list(faults)
        self.made = []

    async def make(self):
        fault = self.faults.pop(0) if self.faults else None
        if fault == "limit":
            raise RateLimitError("later")
        if fault == "before":
            raise OverloadError("503")
        self.made.append(f"thing-{len(self.made)}")
        if fault == "after":
            raise ModelTimeoutError("slow")
        return self.made[-1]

    async def find(self):
        return self.made[0] if self.made else None


@given(faults=st.lists(st.sampled_from(["before", "after", "limit"]), max_size=7))
def test_exactly_one_object_is_created_whatever_fails(faults):
    maker = Maker(faults)
    found = asyncio.run(
        create_idempotently(maker.make, maker.find, FakeTime().polling(), may_exist=False)
    )
    assert maker.made == [found] == ["thing-0"]


def test_an_object_created_by_an_earlier_process_is_found(tmp_path):
    maker = Maker([])
    maker.made.append("thing-0")
    done = create_idempotently(maker.make, maker.find, FakeTime().polling(), may_exist=True)
    assert asyncio.run(done) == "thing-0"
    assert maker.made == ["thing-0"]


def test_eight_failures_are_enough():
    maker, time = Maker(["before"] * 20), FakeTime()
    with pytest.raises(OverloadError):
        asyncio.run(create_idempotently(maker.make, maker.find, time.polling(), may_exist=False))
    assert len(maker.faults) == 12


def test_errors_that_are_not_transient_are_raised_without_retry():
    async def refuse():
        raise BadRequestError("no")

    time = FakeTime()
    with pytest.raises(BadRequestError):
        asyncio.run(retry(refuse, time.polling()))
    assert time.pauses == []


def test_a_retry_waits_as_long_as_the_service_requests():
    faults = [RateLimitError("later", retry_after=120.0), OverloadError("503")]

    async def question():
        if faults:
            raise faults.pop(0)
        return "answer"

    time = FakeTime()
    with pytest.warns(NipWarning, match="the run waits for 2 min, until .*: later"):
        assert asyncio.run(retry(question, time.polling(poll_s=2.0))) == "answer"
    assert time.pauses == [120.0, 3.0]


def test_pauses_grow_to_six_times_the_first():
    polling = PollingPolicy(2.0)
    assert [polling.pause_s(n) for n in (0, 1, 2)] == [2.0, 3.0, 4.5]
    assert polling.pause_s(5) == polling.pause_s(10_000) == 12.0
