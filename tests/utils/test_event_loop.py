"""Nested event loops, bounded concurrency, and errors of tasks."""

import asyncio
import contextlib
import gc
import os
import signal
import threading
import traceback
from collections.abc import Iterator

import pytest

from nip.errors import ParameterError
from nip.run import run_experiment
from nip.utils.event_loop import (
    call_without_event_loop,
    first_error,
    report_no_interrupts,
    run_all,
    run_stoppably,
    timeout_while_running,
)
from nip.utils.stop_signals import Interrupted, handled_signals
from tests.language_models.virtual_time import now, run, skip
from tests.text_experiments import make_text_params, run_text_experiment, text_settings


def thread_that_runs_a_loop():
    return asyncio.run(asyncio.sleep(0, threading.current_thread()))


def test_without_a_loop_the_function_is_called_here():
    assert call_without_event_loop(thread_that_runs_a_loop) is threading.current_thread()


def test_within_a_loop_it_is_called_in_a_thread_of_its_own():
    async def cell():
        return call_without_event_loop(thread_that_runs_a_loop)

    assert asyncio.run(cell()) is not threading.current_thread()


def test_an_error_comes_through_either_way():
    def fail():
        raise ValueError("no luck")

    async def cell():
        call_without_event_loop(fail)

    with pytest.raises(ValueError, match="no luck") as caught:
        call_without_event_loop(fail)
    assert caught.value.__context__ is None
    with pytest.raises(ValueError, match="no luck"):
        asyncio.run(cell())


def test_the_first_error_is_found_in_groups_of_groups():
    error = KeyError("a")
    inner = ExceptionGroup("inner", [error, ValueError("b")])
    assert first_error(BaseExceptionGroup("outer", [inner, KeyboardInterrupt()])) is error


def test_an_experiment_runs_in_a_notebook(tmp_path):
    changes = {"rl": {"num_iterations": 1}, "text_rl": {"test_scheme": "none"}}

    async def cell():
        settings = text_settings(tmp_path)
        return run_experiment(make_text_params(**changes), run_id="cell", settings=settings)

    in_notebook = asyncio.run(cell())
    assert in_notebook.metrics == run_text_experiment(tmp_path, "script", **changes).metrics
    assert in_notebook.metrics["failed_share"] == 0


@pytest.mark.parametrize(("is_handled", "num_reports"), [(True, 0), (False, 1)])
def test_an_interrupted_task_is_not_reported_when_it_is_collected(is_handled, num_reports, caplog):
    async def interrupt():
        raise KeyboardInterrupt

    async def work():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(interrupt())

    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner() as runner:
        if is_handled:
            runner.get_loop().set_exception_handler(report_no_interrupts)
        runner.run(work())
    gc.collect()
    reports = [each for each in caplog.records if "never retrieved" in each.message]
    assert len(reports) == num_reports


def test_an_interrupt_of_one_of_many_is_not_reported_either(caplog):
    async def work(number: int) -> None:
        if number == 1:
            raise KeyboardInterrupt
        await asyncio.sleep(9)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run_all(range(3), work, max_concurrency=3))
    gc.collect()
    assert not [each for each in caplog.records if "never retrieved" in each.message]


def test_items_are_consumed_only_as_capacity_allows():
    taken, live, most = 0, 0, 0

    def items() -> Iterator[int]:
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

    asyncio.run(run_all(items(), work, max_concurrency=3))
    assert (taken, live, most) == (20, 0, 3)


@pytest.mark.parametrize("error", [ParameterError("wrong"), KeyError("a bug")])
def test_the_first_error_cancels_the_others_and_is_raised_itself(error):
    finished = []

    async def work(number: int) -> None:
        if number == 2:
            raise error
        await asyncio.sleep(0 if number < 2 else 60)
        finished.append(number)

    with pytest.raises(type(error)) as caught:
        asyncio.run(run_all(range(100), work, max_concurrency=4))
    assert caught.value is error
    assert finished == [0, 1]
    assert caught.value.__cause__ is None


def test_of_many_errors_only_the_first_is_printed_with_its_cause():
    async def work(number: int) -> None:
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise ValueError(f"bug {number}") from error

    with pytest.raises(ValueError, match="bug 0") as caught:
        asyncio.run(run_all(range(24), work, max_concurrency=24))
    lines = "".join(traceback.format_exception(caught.value))
    assert lines.count("ValueError: bug") == lines.count("KeyError: 'the cause'") == 1
    assert "Group" not in lines


@pytest.mark.parametrize("cancels_itself", [False, True])
def test_work_that_is_cancelled_by_what_it_calls_is_an_error(cancels_itself):
    async def work(number: int) -> None:
        if number != 1:
            return
        shared = asyncio.current_task() if cancels_itself else asyncio.ensure_future(forever())
        asyncio.get_running_loop().call_soon(shared.cancel)
        await (forever() if cancels_itself else shared)

    async def forever() -> None:
        await asyncio.sleep(60)

    with pytest.raises(RuntimeError, match="was cancelled by the code that it calls"):
        asyncio.run(run_all(range(3), work, max_concurrency=3))


def test_a_cancelled_caller_is_not_taken_for_an_error_of_the_work():
    async def work(number: int) -> None:
        await asyncio.sleep(60)

    async def cancel_soon() -> None:
        running = asyncio.ensure_future(run_all(range(3), work, max_concurrency=2))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancel_soon())


def test_a_signal_lets_a_coroutine_end_what_it_has_begun():
    ended = []

    async def work():
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append("all is stored")

    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(Interrupted, match="stopped by SIGUSR1"):
        run_stoppably(work())
    assert ended == ["all is stored"]
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_signal_reaches_a_coroutine_in_the_thread_beside_a_notebook():
    async def work():
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.sleep(60)

    async def cell():
        call_without_event_loop(lambda: run_stoppably(work()))

    with handled_signals(), pytest.raises(Interrupted):
        asyncio.run(cell())


def test_an_error_that_follows_from_a_signal_is_no_error_of_the_run():
    async def work():
        os.kill(os.getpid(), signal.SIGUSR1)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("half of an answer") from None

    with pytest.raises(Interrupted) as raised:
        run_stoppably(work())
    assert isinstance(raised.value.__cause__, ValueError)


def test_a_timeout_ends_what_takes_longer():
    async def work() -> float:
        async with timeout_while_running(5.0):
            await asyncio.sleep(4.0)
        with pytest.raises(TimeoutError):
            async with timeout_while_running(5.0):
                await asyncio.sleep(6.0)
        return now()

    assert run(work()) == pytest.approx(9.0)


@pytest.mark.parametrize(("latency", "is_late"), [(80.0, False), (150.0, False), (171.0, True)])
def test_time_in_which_the_loop_was_blocked_does_not_count_for_a_timeout(latency, is_late):
    async def work() -> float:
        asyncio.get_running_loop().call_later(1.0, skip, 99.0)
        async with timeout_while_running(30.0):
            await asyncio.sleep(latency)
        return now()

    # The timer is due at 30 s and fires at 100 s, so that there are 70 s more.
    if is_late:
        with pytest.raises(TimeoutError):
            run(work())
    else:
        assert run(work()) == pytest.approx(max(latency, 100.0))
