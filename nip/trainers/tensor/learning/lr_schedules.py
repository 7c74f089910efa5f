"""Learning-rate schedules, built from the schedulers of ``torch.optim.lr_scheduler``."""

from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

from nip.errors import ParameterError
from nip.parameters import LrSchedulerParameters


class HeldCosine(CosineAnnealingLR):
    """Cosine annealing that stays constant at its end, where PyTorch's own rises again."""

    def get_lr(self) -> list[Any]:
        """Return the next learning rates."""
        if self.last_epoch > self.T_max:
            return [group["lr"] for group in self.optimizer.param_groups]
        return super().get_lr()


class HeldOneCycle(OneCycleLR):
    """One-cycle schedule that stays constant at its end, where PyTorch's own raises an error."""

    def get_lr(self) -> list[Any]:
        """Return the next learning rates, and set the momentum."""
        if self.last_epoch >= self.total_steps:
            return [group["lr"] for group in self.optimizer.param_groups]
        return super().get_lr()


def build_lr_scheduler(
    optimizer: Optimizer,
    params: LrSchedulerParameters,
    total: int,
    factory: Callable[[Optimizer], LRScheduler] | None = None,
) -> LRScheduler:
    """Build a schedule with its warm-up.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer, whose present learning rates are scaled by the schedule.
    params : LrSchedulerParameters
        Parameters of the schedule.
    total : int
        Length of the whole run in intervals, for a schedule that has no length of its own.
    factory : callable, optional
        Builds the schedule instead.

    Raises
    ------
    ParameterError
        If the warm-up does not fit into the schedule, or one cycle is too short to be divided.
    """
    scheduler = _build(optimizer, params, total) if factory is None else factory(optimizer)
    # PyTorch warns if a scheduler steps before its optimizer, as happens when no agent learns in
    # the first iteration, or when all steps so far overflowed.
    vars(optimizer)["_opt_called"] = True
    return scheduler


def lr_scheduler_state_dict(scheduler: LRScheduler) -> dict[str, Any]:
    """Return the state of a scheduler of any class, as plain data for JSON.

    Other attributes, such as functions, are left out: a scheduler that is built again has them.
    """
    return _plain_state(scheduler.state_dict())


def load_lr_scheduler_state_dict(scheduler: LRScheduler, state: Mapping[str, Any]) -> None:
    """Load what ``lr_scheduler_state_dict`` returned, into a scheduler built in the same way."""
    scheduler.load_state_dict(_merged(scheduler.state_dict(), state))


def _build(optimizer: Optimizer, params: LrSchedulerParameters, total: int) -> LRScheduler:
    length = params.total or total
    num_main = length - params.num_warmup
    if num_main < 1:
        raise ParameterError(
            f"lr_scheduler.num_warmup must be below the length of the schedule, {length} intervals "
            f"of lr_scheduler.interval={params.interval!r}, got {params.num_warmup}. Lower it, or "
            "train for longer."
        )
    main = _build_main(optimizer, params, num_main)
    if params.num_warmup == 0:
        return main
    rise = LinearLR(
        optimizer, start_factor=params.warmup_start_factor, total_iters=params.num_warmup
    )
    return SequentialLR(optimizer, [rise, main], milestones=[params.num_warmup])


def _build_main(optimizer: Optimizer, params: LrSchedulerParameters, num: int) -> LRScheduler:
    """Build the schedule after the warm-up, for a number of intervals."""
    match params.name:
        case "linear":
            return LinearLR(
                optimizer, start_factor=1.0, end_factor=params.end_factor, total_iters=num
            )
        case "cosine":
            return HeldCosine(optimizer, T_max=num, eta_min=params.eta_min)
        case "exponential":
            return ExponentialLR(optimizer, gamma=params.gamma)
        case "step":
            return StepLR(optimizer, step_size=params.step_size, gamma=params.gamma)
        case "multistep":
            # Milestones count from the start of the warm-up, during which the rate does not fall.
            milestones = [milestone - params.num_warmup for milestone in params.milestones]
            return MultiStepLR(optimizer, milestones=milestones, gamma=params.gamma)
        case "polynomial":
            return PolynomialLR(optimizer, total_iters=num, power=params.power)
        case "one_cycle":
            return _build_one_cycle(optimizer, params, num)
    return ConstantLR(optimizer, factor=1.0, total_iters=0)


def _build_one_cycle(optimizer: Optimizer, params: LrSchedulerParameters, num: int) -> LRScheduler:
    if params.pct_start * num == 1:
        raise ParameterError(
            f"lr_scheduler.pct_start must be more than one of the {num} intervals of the schedule, "
            f"got {params.pct_start}, which is exactly one. Raise it."
        )
    groups = optimizer.param_groups
    return HeldOneCycle(
        optimizer,
        max_lr=[group["lr"] for group in groups],
        total_steps=num,
        pct_start=params.pct_start,
        # An optimizer without momentum is not given any.
        cycle_momentum=all("betas" in group or group.get("momentum") for group in groups),
        div_factor=params.div_factor,
        final_div_factor=params.final_div_factor,
    )


def _plain_state(state: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in state.items() if _is_plain(value)}
    if "_schedulers" in state:
        plain["_schedulers"] = [_plain_state(inner) for inner in state["_schedulers"]]
    return plain


def _merged(own: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**own, **saved}
    if "_schedulers" in own:
        pairs = zip(own["_schedulers"], saved["_schedulers"], strict=True)
        merged["_schedulers"] = [_merged(*pair) for pair in pairs]
    return merged


def _is_plain(value: Any) -> bool:
    """Return whether JSON represents a value exactly."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    return value is None or isinstance(value, bool | int | float | str)
