"""Iterations of training loops that a subclass has written: events, evaluation, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError
from nip.utils import stop_signals

if TYPE_CHECKING:
    from nip.trainers.core.progress import IterationContext
    from nip.trainers.core.trainer import Trainer


class StopTraining(BaseException):
    """Raised to leave a training loop; its message, if any, is the reason why training stops.

    It passes through ``except Exception`` of a loop that a subclass has written.
    """


class OwnLoops:
    """Keeps account of the iterations of a trainer whose loops may be those of a subclass.

    In a loop with ``attach_progress_bar`` named ``_run_train_loop``, ``iteration_context.step``
    ends an iteration. Without such a loop, an iteration ends when its metrics are logged.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.is_training = False
        self.is_testing = False
        self.is_managed = False
        self.has_restored = False
        self.evaluated: int | None = None
        # Steps of the last loop whose name does not say what it does.
        self.num_unnamed_steps = 0
        self._loop: IterationContext | None = None
        self._has_started = False
        self._has_logged = False
        self._num_concluded = 0
        self._num_ended_by_log = 0

    # ---- events of an iteration

    def start_iteration(self) -> None:
        """Call ``on_iteration_start`` of the callbacks, unless it was called for this iteration."""
        if not self._has_started:
            self._has_started = True
            stop_signals.postpone_stop("stopping after this iteration, which is saved.")
            with self.managed():
                self._trainer.notify("on_iteration_start")

    def conclude_iteration(self, total: int | None) -> None:
        """Call ``on_iteration_end``, count the iteration, and save a checkpoint if one is due."""
        trainer = self._trainer
        trainer.check_logged()
        # What callbacks log ends no iteration.
        with self.managed():
            trainer.notify("on_iteration_end")
            trainer.context.iteration += 1
            self._has_started = self._has_logged = False
            self._num_concluded += 1
            trainer.save_checkpoint_if_due(trainer.context.iteration, total)

    @contextmanager
    def managed(self) -> Iterator[None]:
        """Leave events and the end of the iteration to the caller of this ``with`` block."""
        before, self.is_managed = self.is_managed, True
        try:
            yield
        finally:
            self.is_managed = before

    # ---- loops with a progress bar

    @contextmanager
    def testing(self) -> Iterator[None]:
        """Log metrics of a test in this ``with`` block, which end no iteration."""
        before, self.is_testing = self.is_testing, True
        try:
            yield
        finally:
            self.is_testing = before

    def run(self, iteration_context: IterationContext, loop: Callable[[], Any]) -> Any:
        """Run a training loop, unless all of its iterations were completed before.

        An iteration that was logged is complete, even if the loop ends without a last ``step``.

        Raises
        ------
        ParameterError
            If the loop has not reported its iterations, or others were logged before it.
        """
        trainer, outer = self._trainer, self._loop
        if self.is_managed:
            return loop()
        self._refuse_logged_before()
        trainer.begin()
        first, total = trainer.context.iteration, iteration_context.total
        is_over = trainer.context.stop_reason is not None or 0 < total <= first
        if first > 0 and is_over:
            iteration_context.advance(min(first, total))
            return None
        iteration_context.attach(self, first)
        self._loop, result, self._num_concluded = iteration_context, None, 0
        self._has_logged = False
        if not is_over:
            self.start_iteration()
        try:
            result = loop()
            if self._has_logged and trainer.context.iteration < total:
                self._evaluate_if_due()
                self.conclude_iteration(total)
        except StopTraining as stop:
            if str(stop):
                # The iteration in which training stops counts as completed.
                trainer.context.stop(str(stop))
                trainer.context.stage = ""
                self.conclude_iteration(None)
        finally:
            self._loop = outer
            stop_signals.no_longer_postpone()
        stop_signals.stop_if_requested()
        has_advanced = trainer.context.iteration > first
        if total > 0 and not has_advanced and trainer.context.stop_reason is None:
            raise ParameterError(
                f"{type(trainer).__name__}._run_train_loop has ended without a complete iteration. "
                "Call iteration_context.step() at the end of each iteration."
            )
        return result

    def step(self, iteration_context: IterationContext, *, leaves_at_end: bool) -> None:
        """End an iteration of a loop of a subclass; raise ``StopTraining`` to leave the loop."""
        trainer = self._trainer
        if self._num_concluded > 0:
            # ``train_iteration`` was called within the loop.
            self._num_concluded -= 1
        else:
            self._refuse_beyond(iteration_context.total)
            self._evaluate_if_due()
            self.conclude_iteration(iteration_context.total)
            self._num_concluded = 0
        is_over = trainer.context.iteration >= iteration_context.total
        if trainer.context.stop_reason is not None or (is_over and leaves_at_end):
            raise StopTraining
        if not is_over:
            self.start_iteration()

    # ---- logging

    def before_log(self, iteration: int) -> None:
        """Refuse metrics of another iteration than the present one, logged within a loop."""
        if not self.is_training or self.is_managed or self.is_testing:
            return
        trainer = self._trainer
        trainer.begin()
        done, name = trainer.context.iteration, type(trainer).__name__
        if self._loop is None and iteration >= done:
            if iteration > done:
                self.start_iteration()
            return
        if self._loop is not None:
            is_after_last = iteration == done and done >= self._loop.total
            if iteration == done + 1 or is_after_last:
                self._has_logged = iteration == done + 1
                return
        hint = (
            f"Begin the loop at iteration_context.first, which is {done} in this resumed run, or "
            "with `for iteration in iteration_context`."
            if iteration <= done and done > 0
            else "Call iteration_context.step() at the end of each iteration, after its log; "
            "iterations are counted from 1 there."
        )
        raise ParameterError(
            f"{name} logs metrics of iteration {iteration}, but iteration {done + 1} is being "
            f"trained: {done} are complete. {hint}"
        )

    def after_log(self, iteration: int) -> None:
        """End the iterations up to this one, in a training without a loop that reports them."""
        if not self.is_training or self.is_managed or self.is_testing or self._loop is not None:
            return
        context = self._trainer.context
        if iteration <= context.iteration:
            return
        context.iteration = iteration - 1
        self._evaluate_if_due()
        self.conclude_iteration(None)
        self._num_ended_by_log += 1
        if context.stop_reason is not None:
            raise StopTraining

    def check_number(self, iteration: int) -> None:
        """Refuse to run another iteration, counted from 0, than the next one in a loop."""
        if self._loop is not None and not self.is_managed:
            self._refuse_beyond(self._loop.total)
            if iteration != self._trainer.context.iteration:
                self.before_log(iteration + 1)

    def _evaluate_if_due(self) -> None:
        trainer = self._trainer
        if not trainer.evaluation_is_due(trainer.context.iteration + 1):
            return
        with self.managed():
            with trainer.stage("test"):
                metrics = trainer.evaluate("test")
            trainer.log(trainer.context.iteration + 1, metrics)
        self.evaluated = trainer.context.iteration + 1

    def _refuse_logged_before(self) -> None:
        if self._num_ended_by_log > 0:
            raise ParameterError(
                f"{type(self._trainer).__name__} has logged metrics of {self._num_ended_by_log} "
                "iterations before _run_train_loop, which would lack them. Log what precedes the "
                "loop, such as a warm-up, as iteration 0."
            )

    def _refuse_beyond(self, total: int) -> None:
        done = self._trainer.context.iteration
        if done >= total:
            raise ParameterError(
                f"The loop of {type(self._trainer).__name__} goes on after all {total} iterations "
                "are complete, some of them perhaps in an earlier process. Begin it at "
                "iteration_context.first, or with `for iteration in iteration_context`."
            )


@contextmanager
def leaving(trainer: Trainer) -> Iterator[None]:
    """End a ``with`` block when training stops within it, and store the reason, if it has one."""
    try:
        yield
    except StopTraining as stop:
        if str(stop):
            trainer.context.stop(str(stop))


def complete_training(train: Callable[..., Any]) -> Callable[..., Any]:
    """Complete a method ``train``: call ``on_train_end`` and save, even if the method does not.

    Parameters
    ----------
    train : callable
        The method of a class of trainers. It may call that of the base class.
    """

    @wraps(train)
    def wrapped(self: Trainer, *args: Any, **kwargs: Any) -> Any:
        loops = self.loops
        if loops.is_training:
            return train(self, *args, **kwargs)
        loops.is_training, result = True, None
        try:
            with self.closing():
                with leaving(self):
                    result = train(self, *args, **kwargs)
                self.finish_training()
        finally:
            loops.is_training = False
            stop_signals.no_longer_postpone()
        return result

    return wrapped
