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
"""Share of a running average that stays from one step to the next."""

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
    """The optimizer of ``torch.optim``; None stands for PyTorch's own default."""

    name: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad", "radam", "nadam"] = "adam"
    """Algorithm."""

    weight_decay: NonNegative | None = None
    """Pull of every weight towards 0."""

    beta1: Decay | None = None
    """Share of the running mean of gradients that stays (adam, adamw, radam, nadam)."""

    beta2: Decay | None = None
    """Share of the running mean of squared gradients that stays (adam, adamw, radam, nadam)."""

    eps: Positive | None = None
    """Smallest divisor (all but sgd); None: 1e-5 in reinforcement learning, as is usual there."""

    momentum: Decay | None = None
    """Share of the last step that is added to the next (sgd, rmsprop)."""

    alpha: Decay | None = None
    """Share of the running mean of squared gradients that stays (rmsprop)."""

    nesterov: bool = False
    """Look ahead by the momentum before measuring the gradient (sgd)."""

    unused_rules: ClassVar = (*_OPTIMIZER_RULES.values(), _BETA1_OF_ONE_CYCLE)

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require what PyTorch requires for Nesterov's momentum."""
        if self.nesterov and self.name == "sgd" and not self.momentum:
            yield (
                f"{at('nesterov')}=True needs {at('momentum')} above 0, got {self.momentum!r}. "
                f"Set {at('momentum')}=0.9, or {at('nesterov')}=False."
            )


@register_parameter_class
@dataclass
class AgentOptimizerParameters(SubParameters):
    """What an agent has of its own in the optimizer; None: as all agents."""

    lr: Positive | None = None
    """Base learning rate, in pretraining too, which the factors of the agent multiply."""

    weight_decay: NonNegative | None = None
    """Pull of every weight towards 0."""

    beta1: Decay | None = None
    """Share of the running mean of gradients that stays."""

    beta2: Decay | None = None
    """Share of the running mean of squared gradients that stays."""

    eps: Positive | None = None
    """Smallest divisor."""

    momentum: Decay | None = None
    """Share of the last step that is added to the next."""

    unused_rules: ClassVar = (
        *(_OPTIMIZER_RULES[option] for option in ("beta1", "beta2", "eps", "momentum")),
        _BETA1_OF_ONE_CYCLE,
    )


@register_parameter_class
@dataclass
class LrSchedulerParameters(SubParameters):
    """The course of the learning rate, by the schedulers of ``torch.optim.lr_scheduler``."""

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
    """Shape of the course."""

    interval: Literal["iteration", "step"] = "iteration"
    """What the schedule counts: iterations, or steps of the optimizer."""

    num_warmup: CountOrZero = 0
    """Intervals over which the rate first rises linearly."""

    warmup_start_factor: Annotated[float, Gt(0), Le(1)] = 0.01
    """Factor on the rate at the start of the warm-up."""

    total: Count | None = None
    """Intervals that the schedule takes, warm-up included; None: the whole run."""

    end_factor: UnitInterval = 0.0
    """Factor on the rate at the end (linear)."""

    eta_min: NonNegative = 0.0
    """Rate at the end (cosine)."""

    gamma: Positive = 0.95
    """Factor by which the rate falls: each interval, each ``step_size``, or at each milestone."""

    step_size: Count = 100
    """Intervals between two falls (step)."""

    milestones: tuple[Count, ...] = ()
    """Intervals at which the rate falls, in rising order (multistep)."""

    power: Positive = 1.0
    """Exponent of the remaining share of the schedule (polynomial)."""

    pct_start: Annotated[float, Gt(0), Lt(1)] = 0.3
    """Share of the schedule in which the rate rises to its base value (one_cycle)."""

    div_factor: Annotated[float, Ge(1)] = 25.0
    """What the rate is divided by at the start (one_cycle)."""

    final_div_factor: Annotated[float, Ge(1)] = 1e4
    """What the rate of the start is divided by at the end (one_cycle)."""

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
        """Require a course that can be gone through."""
        if self.name == "one_cycle" and self.num_warmup:
            yield (
                f"{at('num_warmup')} must be 0 with {at('name')}='one_cycle', which begins with a "
                f"rise of its own, got {self.num_warmup}. Use {at('pct_start')} instead."
            )
        if self.total is not None and self.num_warmup >= self.total:
            yield (
                f"{at('num_warmup')} must be below {at('total')} ({self.total}), got "
                f"{self.num_warmup}. Lower it, or raise the total."
            )
        if self.name == "multistep" and not self.milestones:
            yield (
                f"{at('milestones')} must not be empty with {at('name')}='multistep', got (). Give "
                "the intervals at which the rate falls, for example [100,200]."
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            yield (
                f"{at('milestones')} must rise, got {list(self.milestones)}. Put them in order, "
                "each once."
            )


@register_parameter_class
@dataclass
class UpdateStepParameters(SubParameters):
    """How the gradients of minibatches become steps of the optimizer."""

    max_grad_value: Positive | None = None
    """Limit on each single entry of the gradient, beside that on its norm; None: no limit."""

    num_accumulation_steps: Count = 1
    """Minibatches whose mean gradient makes one step."""

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """What networks compute in; weights stay in float32, and float16 has its losses scaled."""

    on_non_finite: Literal["raise", "stop"] = "raise"
    """When a loss is infinite or no number: fail, or stop training and test what there is."""
