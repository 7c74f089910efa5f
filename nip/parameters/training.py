"""Parameters of the optimizer, its schedule and its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import Count, CountOrZero, NonNegative, Positive, UnitInterval

Decay = Annotated[float, Ge(0), Lt(1)]
"""Decay rate of a running average."""

_WITH_BETAS = ("adam", "adamw", "radam", "nadam")


def _unless_named(group: str, option: str, names: tuple[str, ...]) -> UnusedOptionRule:
    """Return the rule for an option that only some optimizers or schedules have."""
    return UnusedOptionRule(
        (option,),
        f"unless {group}.name is {' or '.join(map(repr, names))}",
        lambda _, hyper_params: hyper_params.get(group).name not in names,
    )


_OPTIMIZER_RULES = {
    option: _unless_named("optimizer", option, names)
    for option, names in {
        "beta1": _WITH_BETAS,
        "beta2": _WITH_BETAS,
        "eps": (*_WITH_BETAS, "rmsprop", "adagrad"),
        "momentum": ("sgd", "rmsprop"),
        "alpha": ("rmsprop",),
        "nesterov": ("sgd",),
    }.items()
}

_BETA1_OF_ONE_CYCLE = UnusedOptionRule(
    ("beta1",),
    "with lr_scheduler.name='one_cycle', which moves it from 0.95 to 0.85 and back",
    lambda _, hyper_params: (
        hyper_params.lr_scheduler.name == "one_cycle" and hyper_params.optimizer.name in _WITH_BETAS
    ),
)

_SCHEDULER_RULES = tuple(
    _unless_named("lr_scheduler", option, names)
    for option, names in {
        "total": ("linear", "cosine", "polynomial", "one_cycle"),
        "end_factor": ("linear",),
        "eta_min": ("cosine",),
        "gamma": ("exponential", "step", "multistep"),
        "step_size": ("step",),
        "milestones": ("multistep",),
        "power": ("polynomial",),
        "pct_start": ("one_cycle",),
        "div_factor": ("one_cycle",),
        "final_div_factor": ("one_cycle",),
    }.items()
)


@register_parameter_class
@dataclass
class OptimizerParameters(SubParameters):
    """The optimizer, from ``torch.optim``; None: PyTorch's default."""

    name: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad", "radam", "nadam"] = "adam"
    """Optimization algorithm."""

    weight_decay: NonNegative | None = None
    """Coefficient of the weight decay."""

    beta1: Decay | None = None
    """Decay rate of the running mean of gradients (adam, adamw, radam, nadam)."""

    beta2: Decay | None = None
    """Decay rate of the running mean of squared gradients (adam, adamw, radam, nadam)."""

    eps: Positive | None = None
    """Constant added to the denominator (all but sgd); None: 1e-5 in reinforcement learning."""

    momentum: Decay | None = None
    """Momentum (sgd, rmsprop)."""

    alpha: Decay | None = None
    """Decay rate of the running mean of squared gradients (rmsprop)."""

    nesterov: bool = False
    """Use Nesterov momentum (sgd)."""

    unused_rules: ClassVar = (*_OPTIMIZER_RULES.values(), _BETA1_OF_ONE_CYCLE)

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require a momentum above 0 for Nesterov momentum."""
        if self.nesterov and self.name == "sgd" and not self.momentum:
            yield (
                f"{at('nesterov')}=True needs {at('momentum')} above 0, got {self.momentum!r}. "
                f"Set {at('momentum')}=0.9, or {at('nesterov')}=False."
            )


@register_parameter_class
@dataclass
class AgentOptimizerParameters(SubParameters):
    """Optimizer options of one agent; None: the value for all agents."""

    lr: Positive | None = None
    """Base learning rate, also of pretraining; the agent's factors multiply it."""

    weight_decay: NonNegative | None = None
    """Coefficient of the weight decay."""

    beta1: Decay | None = None
    """Decay rate of the running mean of gradients."""

    beta2: Decay | None = None
    """Decay rate of the running mean of squared gradients."""

    eps: Positive | None = None
    """Constant added to the denominator."""

    momentum: Decay | None = None
    """Momentum."""

    unused_rules: ClassVar = (
        *(_OPTIMIZER_RULES[option] for option in ("beta1", "beta2", "eps", "momentum")),
        _BETA1_OF_ONE_CYCLE,
    )


@register_parameter_class
@dataclass
class LrSchedulerParameters(SubParameters):
    """Learning-rate schedule, from ``torch.optim.lr_scheduler``."""

    name: Literal[
        "constant",
        "linear",
        "cosine",
        "exponential",
        "step",
        "multistep",
        "polynomial",
        "one_cycle",
    ] = "constant"
    """Kind of schedule."""

    interval: Literal["iteration", "step"] = "iteration"
    """Unit of the schedule: iterations, or optimizer steps."""

    num_warmup: CountOrZero = 0
    """Number of intervals of linear warm-up."""

    warmup_start_factor: Annotated[float, Gt(0), Le(1)] = 0.01
    """Factor on the learning rate at the start of the warm-up."""

    total: Count | None = None
    """Number of intervals of the schedule, including the warm-up; None: the whole run."""

    end_factor: UnitInterval = 0.0
    """Factor on the learning rate at the end (linear)."""

    eta_min: NonNegative = 0.0
    """Learning rate at the end (cosine)."""

    gamma: Positive = 0.95
    """Decay factor per interval (exponential), ``step_size`` (step) or milestone (multistep)."""

    step_size: Count = 100
    """Number of intervals between two decays (step)."""

    milestones: tuple[Count, ...] = ()
    """Intervals at which the learning rate decays, in increasing order (multistep)."""

    power: Positive = 1.0
    """Power of the polynomial (polynomial)."""

    pct_start: Annotated[float, Gt(0), Lt(1)] = 0.3
    """Share of the schedule in which the learning rate increases (one_cycle)."""

    div_factor: Annotated[float, Ge(1)] = 25.0
    """Ratio of the base learning rate to the initial one (one_cycle)."""

    final_div_factor: Annotated[float, Ge(1)] = 1e4
    """Ratio of the initial learning rate to the final one (one_cycle)."""

    unused_rules: ClassVar = (
        *_SCHEDULER_RULES,
        UnusedOptionRule(
            ("warmup_start_factor",),
            "unless lr_scheduler.num_warmup is above 0",
            lambda schedule, _: schedule.num_warmup == 0,
        ),
        UnusedOptionRule(
            ("interval",),
            "unless lr_scheduler.name or lr_scheduler.num_warmup changes the learning rate",
            lambda schedule, _: schedule.name == "constant" and schedule.num_warmup == 0,
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require a consistent schedule."""
        if self.name == "one_cycle" and self.num_warmup:
            yield (
                f"{at('num_warmup')} must be 0 with {at('name')}='one_cycle', which has a warm-up "
                f"of its own, got {self.num_warmup}. Use {at('pct_start')} instead."
            )
        if self.total is not None and self.num_warmup >= self.total:
            yield (
                f"{at('num_warmup')} must be below {at('total')} ({self.total}), got "
                f"{self.num_warmup}. Lower it, or raise the total."
            )
        if self.name == "multistep" and not self.milestones:
            yield (
                f"{at('milestones')} must not be empty with {at('name')}='multistep', got (). Give "
                "the intervals at which the learning rate decays, for example [100,200]."
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            yield (
                f"{at('milestones')} must be strictly increasing, got {list(self.milestones)}. "
                "Sort them, and remove duplicates."
            )


@register_parameter_class
@dataclass
class UpdateStepParameters(SubParameters):
    """How gradients are clipped, accumulated and applied."""

    max_grad_value: Positive | None = None
    """Maximum absolute value of a gradient entry, beside the limit on the norm; None: no limit."""

    num_accumulation_steps: Count = 1
    """Number of minibatches whose gradients are averaged for one step."""

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of computations; weights stay in float32, and float16 uses loss scaling."""

    on_non_finite: Literal["raise", "stop"] = "raise"
    """When a loss is infinite or NaN: raise an error, or stop training and test the agents."""
