"""Objects are created once, although requests fail."""

import asyncio
import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import NipWarning
from nip.language_models.errors import (
    BadRequestError,
    MalformedAnswerError,
    ModelTimeoutError,
    OverloadError,
    RateLimitError,
    ServiceUnavailableError,
)
from nip.language_models.fine_tuning.idempotent_creation import (
    PollingPolicy,
    create_idempotently,
    retry,
)
from tests.language_models.fine_tuning.fake_service import FakeTime

WHAT = "The upload"


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
        if fault == "odd":
            raise MalformedAnswerError("what?")
        self.made.append(f"thing-{len(self.made)}")
        if fault == "after":
            raise ModelTimeoutError("slow")
        return self.made[-1]

    async def find(self):
        return self.made[0] if self.made else None


@given(faults=st.lists(st.sampled_from(["before", "after", "limit"]), max_size=7))
def test_exactly_one_object_is_created_whatever_fails(faults):
    maker, polling = Maker(faults), FakeTime().polling(poll_s=0.1)
    work = create_idempotently(maker.make, maker.find, polling, may_exist=False, what=WHAT)
    assert maker.made == [asyncio.run(work)] == ["thing-0"]


def test_an_object_created_by_an_earlier_process_is_found(tmp_path):
    maker = Maker([])
    maker.made.append("thing-0")
    done = create_idempotently(
        maker.make, maker.find, FakeTime().polling(), may_exist=True, what=WHAT
    )
    assert asyncio.run(done) == "thing-0"
    assert maker.made == ["thing-0"]


def create(maker, time):
    work = create_idempotently(maker.make, maker.find, time.polling(), may_exist=False, what=WHAT)
    return asyncio.run(work)


@pytest.mark.parametrize("last", ["before", "after", "limit"])
def test_a_long_outage_is_waited_for_and_announced_once(last):
    maker, time = Maker([*["limit"] * 15, *["before"] * 15, last]), FakeTime()
    with pytest.warns(NipWarning) as warned:
        assert create(maker, time) == "thing-0"
    assert maker.made == ["thing-0"]
    assert re.match(
        r"The upload has failed for \d+ s\. It is tried again until", str(warned[0].message)
    )
    assert re.match(r"The upload has succeeded, after (2|3)\d min", str(warned[1].message))
    assert len(warned) == 2


def test_a_long_outage_is_noted_until_it_is_over():
    maker, time, noted = Maker(["limit"] * 9), FakeTime(), []

    def note(what, wait):
        noted.append((what, None if wait is None else wait.reason))

    polling = dataclasses.replace(time.polling(), note_wait=note)
    work = create_idempotently(maker.make, maker.find, polling, may_exist=False, what=WHAT)
    with pytest.warns(NipWarning, match="The upload has"):
        asyncio.run(work)
    assert noted == [("The upload", "later"), ("The upload", None)]


def test_an_outage_longer_than_the_longest_wait_stops_the_run():
    maker, time = Maker(["limit"] * 1000), FakeTime()
    message = (
        r"The upload has failed for 60 min, .*max_wait_minutes\): later\. .* start the run again"
    )
    with (
        pytest.warns(NipWarning, match="It is tried again until"),
        pytest.raises(ServiceUnavailableError, match=message),
    ):
        create(maker, time)
    assert 3600 < time.seconds < 3600 + 2 * 60


def test_eight_answers_that_make_no_sense_are_enough():
    maker, time = Maker(["limit", *["odd"] * 20]), FakeTime()
    message = r"The upload has failed 9 times: what\? Everything is saved"
    with (
        pytest.warns(NipWarning, match="It is tried again until"),
        pytest.raises(ServiceUnavailableError, match=message),
    ):
        create(maker, time)
    assert len(maker.faults) == 12


def test_each_search_has_eight_tries_of_its_own_when_answers_make_no_sense():
    maker = Maker(["before"])
    answers = [*[MalformedAnswerError("what?")] * 5, None] * 4

    async def find():
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    polling = FakeTime().polling(poll_s=0.1)
    work = create_idempotently(maker.make, find, polling, may_exist=False, what=WHAT)
    assert asyncio.run(work) == "thing-0"
    assert (maker.made, answers) == (["thing-0"], [])


def test_a_search_that_fails_is_repeated():
    maker, time = Maker(["after"]), FakeTime()
    faults = [OverloadError("503")] * 20

    async def find():
        if faults:
            raise faults.pop()
        return maker.made[0]

    work = create_idempotently(maker.make, find, time.polling(), may_exist=False, what=WHAT)
    with pytest.warns(NipWarning, match="The upload has"):
        assert asyncio.run(work) == "thing-0"
    assert maker.made == ["thing-0"]


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
