"""Warnings about choices that are legal but cannot have the effect that they are made for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nip.errors import warn_user
from nip.experiment_settings import ExperimentSettings
from nip.parameters import (
    AgentParameters,
    HyperParameters,
    TextAgentParameters,
    TrainerSpec,
    UpdateSchedule,
    trainer_specs,
)
from nip.parameters.callbacks import EarlyStoppingParameters, ProfilerParameters
from nip.parameters.fields.value_limits import PeriodMarker, is_marked
from nip.parameters.parameters_base import SubParameters, field_rules
from nip.parameters.robustness import AlarmParameters
from nip.parameters.specs import why_no_critics

if TYPE_CHECKING:
    from nip.protocols import ProtocolHandler

_SHARES = ("accuracy", "completeness", "soundness")
"""Words in the names of metrics that lie between 0 and 1."""

_NEVER = "so it has no effect"


def warn_of_meaningless_choices(
    hyper_params: HyperParameters, settings: ExperimentSettings, protocol: ProtocolHandler
) -> None:
    """Warn of each choice that no run with these parameters can be affected by as intended."""
    for message in meaningless_choices(hyper_params, settings, protocol):
        warn_user(message)


def meaningless_choices(
    hyper_params: HyperParameters, settings: ExperimentSettings, protocol: ProtocolHandler
) -> Iterator[str]:
    """Yield a message for each such choice."""
    spec = trainer_specs[hyper_params.trainer]
    if spec.data not in ("tensordict", "text"):
        return
    num_iterations = hyper_params.get(spec.num_iterations)
    yield from _periods_beyond_the_run(hyper_params, settings, num_iterations)
    yield from _schedules_beyond_the_run(hyper_params, num_iterations)
    yield from _callbacks_that_wait_too_long(hyper_params, num_iterations)
    yield from _thresholds(hyper_params)
    if spec.plays_episodes:
        yield from _rewards(protocol)
    if spec.samples_batches:
        yield from _accumulation(hyper_params, protocol)
    yield from _nobody_learns(hyper_params, protocol, num_iterations)


def _periods_beyond_the_run(
    hyper_params: HyperParameters, settings: ExperimentSettings, num_iterations: int
) -> Iterator[str]:
    """Yield a message for each option marked as a period of which the run has not one."""
    groups: list[tuple[str, SubParameters]] = [
        (f"callbacks[{index}]", each) for index, each in enumerate(hyper_params.callbacks)
    ]
    if trainer_specs[hyper_params.trainer].data == "tensordict":
        groups.append(("settings", settings))
    if hyper_params.opponent_pool.agents:
        groups.append(("opponent_pool", hyper_params.opponent_pool))
    for path, group in groups:
        for name, rule in field_rules(type(group)).items():
            period = getattr(group, name)
            if is_marked(rule.annotation, PeriodMarker) and (period or 0) > num_iterations:
                yield _beyond(f"{path}.{name}", period, num_iterations)


def _beyond(name: str, value: Any, num_iterations: int) -> str:
    return (
        f"{name}={value!r} is beyond the {num_iterations} iterations of the run, {_NEVER}. "
        "Lower it, or train for longer."
    )


def _schedules_beyond_the_run(hyper_params: HyperParameters, num_iterations: int) -> Iterator[str]:
    """Yield a message if the learning rate would change after the end of the run only."""
    schedule = hyper_params.lr_scheduler
    counts_steps = schedule.interval == "step"
    if counts_steps or trainer_specs[hyper_params.trainer].data != "tensordict":
        return
    if schedule.name == "step" and schedule.step_size >= num_iterations:
        yield _beyond("lr_scheduler.step_size", schedule.step_size, num_iterations)
    if schedule.name == "multistep" and min(schedule.milestones) >= num_iterations:
        yield _beyond("lr_scheduler.milestones", list(schedule.milestones), num_iterations)
    if schedule.total is not None and schedule.total > num_iterations:
        yield (
            f"lr_scheduler.total={schedule.total} is more than the {num_iterations} iterations of "
            "the run, so the schedule does not reach its end. Lower it, or train for longer."
        )


def _callbacks_that_wait_too_long(
    hyper_params: HyperParameters, num_iterations: int
) -> Iterator[str]:
    for index, callback in enumerate(hyper_params.callbacks):
        path = f"callbacks[{index}]"
        if isinstance(callback, ProfilerParameters):
            waits = callback.wait + callback.warmup
            if waits >= num_iterations:
                yield _beyond(f"{path}.wait + {path}.warmup", waits, num_iterations)
        if isinstance(callback, AlarmParameters):
            waits = callback.warmup + callback.window
            if waits > num_iterations:
                yield _beyond(f"{path}.warmup + {path}.window", waits, num_iterations)
        if isinstance(callback, EarlyStoppingParameters):
            default = field_rules(EarlyStoppingParameters)["patience"].default
            num_values = _num_values(hyper_params, callback.monitor, num_iterations)
            # The first value is always an improvement.
            if callback.patience != default and callback.patience >= num_values:
                yield (
                    f"{path}.patience={callback.patience} is never used up by the {num_values} "
                    f"values of {callback.monitor!r} in the run, {_NEVER}. Lower it, or train for "
                    "longer."
                )


def _num_values(hyper_params: HyperParameters, monitor: str, num_iterations: int) -> int:
    """Return how many values of a metric a run has at most."""
    if monitor.startswith("test_") and hyper_params.eval_every is not None:
        return num_iterations // hyper_params.eval_every
    return num_iterations


def _thresholds(hyper_params: HyperParameters) -> Iterator[str]:
    """Yield a message about bounds of a share that it cannot reach, or cannot but reach."""
    for index, callback in enumerate(hyper_params.callbacks):
        if not isinstance(callback, EarlyStoppingParameters) or not _is_share(callback.monitor):
            continue
        worst, best = (0.0, 1.0) if callback.mode == "max" else (1.0, 0.0)
        sign = 1 if callback.mode == "max" else -1
        threshold, divergence = callback.threshold, callback.divergence
        what = f"{callback.monitor!r}, which lies between 0 and 1"
        path = f"callbacks[{index}]"
        if threshold is not None and sign * threshold > sign * best:
            yield f"{path}.threshold={threshold!r} is never reached by {what}, {_NEVER}."
        if threshold is not None and sign * threshold <= sign * worst:
            yield (
                f"{path}.threshold={threshold!r} is reached by every value of {what}, so training "
                "stops at the first one."
            )
        if divergence is not None and sign * divergence <= sign * worst:
            yield f"{path}.divergence={divergence!r} is never undercut by {what}, {_NEVER}."
        if divergence is not None and sign * divergence > sign * best:
            yield (
                f"{path}.divergence={divergence!r} is worse than no value of {what}, so training "
                "stops at the first one."
            )


def _is_share(monitor: str) -> bool:
    return any(word in monitor for word in _SHARES)


def _rewards(protocol: ProtocolHandler) -> Iterator[str]:
    """Yield a message if no outcome is worth anything to any agent."""
    tables = (protocol.decided_reward, protocol.terminated_reward, protocol.no_guess_reward)
    if not any(table.any() for table in tables):
        yield (
            "All rewards of all agents are 0, so there is nothing to learn. Set for example "
            "protocol_common.verifier_reward=1."
        )


def _accumulation(hyper_params: HyperParameters, protocol: ProtocolHandler) -> Iterator[str]:
    """Yield a message if gradients of more minibatches are averaged than an iteration has."""
    rl, num_accumulated = hyper_params.rl, hyper_params.update_step.num_accumulation_steps
    steps = rl.steps_per_env_per_iteration or protocol.max_message_rounds
    frames = rl.frames_per_batch or (rl.rollouts_per_iteration or 0) * steps
    num_minibatches = rl.num_epochs * (frames // rl.minibatch_size)
    if frames and num_accumulated > num_minibatches:
        yield (
            f"update_step.num_accumulation_steps={num_accumulated} is more than the "
            f"{num_minibatches} minibatches of an iteration, so each iteration takes one step over "
            "all of them. Lower it, or make the minibatches smaller."
        )


def _nobody_learns(
    hyper_params: HyperParameters, protocol: ProtocolHandler, num_iterations: int
) -> Iterator[str]:
    """Yield a message if no agent can learn anything in the whole run."""
    if hyper_params.base_run.base_run_type == "rerun_tests":
        return
    is_text = trainer_specs[hyper_params.trainer].data == "text"
    if is_text and num_iterations == 1:
        return  # A single round of sampling is meant so.
    reasons = {
        name: _why_not_learning(hyper_params, hyper_params.agents[name], num_iterations)
        for name in protocol.agent_names
    }
    if all(reasons.values()):
        listed = ", ".join(f"{name} {reason}" for name, reason in reasons.items())
        yield (
            f"No agent learns in this run: {listed}. It only measures what the agents do; let one "
            "of them learn, or train for fewer iterations."
        )


def _why_not_learning(
    hyper_params: HyperParameters, agent: object, num_iterations: int
) -> str | None:
    """Return why an agent does not learn; None if it may."""
    spec = trainer_specs[hyper_params.trainer]
    if isinstance(agent, TextAgentParameters):
        if agent.freeze_agent:
            return "has freeze_agent=True"
        return _why_never_scheduled(spec, agent.update_schedule, num_iterations - 1)
    if not isinstance(agent, AgentParameters):
        return None
    if agent.is_random:
        return "is random"
    if agent.use_manual_architecture:
        return "follows a fixed algorithm"
    factors = agent.agent_lr_factor
    if factors.actor == 0 and (factors.critic == 0 or why_no_critics(hyper_params)):
        return "has an agent_lr_factor of 0"
    return _why_never_scheduled(spec, agent.update_schedule, num_iterations)


def _why_never_scheduled(
    spec: TrainerSpec, schedule: UpdateSchedule, num_iterations: int
) -> str | None:
    if spec.reads_update_schedules and not schedule.is_ever_active(num_iterations):
        return "has an update_schedule without an iteration of the run"
    return None
