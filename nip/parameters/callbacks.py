"""Parameters of the callbacks that observe or change a training run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Lt

from nip.parameters.fields.outside_names import PLAIN_TEXT, NamesOutside
from nip.parameters.named_components import NamedComponent
from nip.parameters.parameters_base import register_parameter_class
from nip.parameters.specs import trainer_specs
from nip.parameters.types import Count, CountOrZero, NonNegative, Period
from nip.registry import Registry

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


@register_parameter_class
@dataclass
class CallbackParameters(NamedComponent):
    """Base class of the parameters of callbacks; it has no options."""


@dataclass(frozen=True)
class CallbackSpec:
    """What the checks need to know of a callback."""

    parameters: type[CallbackParameters] = CallbackParameters
    """Class of its options."""

    is_observer: bool = False
    """Whether it only observes, so that a run may be resumed with or without it."""

    observes_if: tuple[str, str] | None = None
    """An option, and the value of it with which the callback only observes."""

    def only_observes(self, options: Mapping[str, Any]) -> bool:
        """Return whether the callback does not influence results with these options."""
        if self.is_observer or self.observes_if is None:
            return self.is_observer
        option, value = self.observes_if
        return bool(options.get(option, getattr(self.parameters, option)) == value)


callback_specs: Registry[CallbackSpec] = Registry("callback")
"""Specs of all callbacks by name."""

Mode = Literal["max", "min"]
"""Whether larger or smaller values of a metric are better."""


@register_parameter_class
@dataclass
class MonitoringParameters(CallbackParameters):
    """Parameters shared by callbacks that monitor one metric."""

    monitor: Annotated[str, PLAIN_TEXT] = "test_mean_accuracy"
    """Monitored metric; metrics that begin with ``test_`` come from evaluations."""

    mode: Mode = "max"
    """Whether larger (``max``) or smaller (``min``) values are better."""

    min_delta: NonNegative = 0.0
    """Smallest change that counts as an improvement."""

    def problems_in(self, hyper_params: HyperParameters, path: str) -> Iterator[str]:
        """Yield a message if the metric comes from evaluations and there are none."""
        if not self.monitor.startswith("test_"):
            return
        is_text = _learns_from_texts(hyper_params)
        if is_text and hyper_params.text_rl.test_scheme == "none":
            yield (
                f"{path}.monitor={self.monitor!r} is a metric of tests, but text_rl.test_scheme is "
                "'none'. Set text_rl.test_scheme=all, or monitor a metric of training."
            )
        num_iterations = hyper_params.get(trainer_specs[hyper_params.trainer].num_iterations)
        if not is_text and (hyper_params.eval_every or 0) > num_iterations:
            yield (
                f"{path}.monitor={self.monitor!r} is a metric of evaluations, but eval_every="
                f"{hyper_params.eval_every} is more than the {num_iterations} iterations, so there "
                "are none during training. Lower it, or monitor a metric of training."
            )
        if not is_text and hyper_params.eval_every is None:
            yield (
                f"{path}.monitor={self.monitor!r} is a metric of evaluations, but eval_every is "
                "None, so there are none during training. Set eval_every=1 or more, or monitor a "
                "metric of training."
            )


def _learns_from_texts(hyper_params: HyperParameters) -> bool:
    return trainer_specs[hyper_params.trainer].data == "text"


@register_parameter_class
@dataclass
class EarlyStoppingParameters(MonitoringParameters):
    """Stop training when a metric no longer improves."""

    name: str = "early_stopping"
    """Name of the callback."""

    patience: Count = 5
    """Number of consecutive values without improvement after which training stops."""

    threshold: float | None = None
    """Training stops when the metric reaches this value; None: never."""

    divergence: float | None = None
    """Training stops immediately when the metric is as bad as this value; None: never."""

    save_best: bool = True
    """Keep the checkpoint of the best value."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require that ``threshold`` is better than ``divergence``."""
        if self.threshold is None or self.divergence is None:
            return
        low, high = sorted((self.threshold, self.divergence))
        if low == high or (self.threshold == low) != (self.mode == "min"):
            yield (
                f"{at('threshold')} must be better than {at('divergence')} ({self.divergence!r}) "
                f"in the sense of {at('mode')}={self.mode!r}, got {self.threshold!r}. Swap "
                "them, or choose the other mode."
            )


@register_parameter_class
@dataclass
class BestCheckpointParameters(MonitoringParameters):
    """Keep the checkpoint with the best value of a metric."""

    name: str = "best_checkpoint"
    """Name of the callback."""

    def problems_in(self, hyper_params: HyperParameters, path: str) -> Iterator[str]:
        """Yield a message for trainers of anything but networks, which keep no checkpoints."""
        yield from super().problems_in(hyper_params, path)
        data = trainer_specs[hyper_params.trainer].data
        if data not in ("tensordict", "text"):
            yield (
                f"{path}: best_checkpoint keeps weights of networks, but trainer="
                f"{hyper_params.trainer!r} learns from data of the kind {data!r}, and has one "
                "checkpoint, the last. Remove it; early_stopping reports the best iteration."
            )
        if _learns_from_texts(hyper_params):
            yield (
                f"{path}: best_checkpoint keeps weights of networks, but trainer="
                f"{hyper_params.trainer!r} trains language models, which are stored by their "
                "provider. Remove it; early_stopping reports the best iteration."
            )


@register_parameter_class
@dataclass
class CsvParameters(CallbackParameters):
    """Write all metrics to ``metrics.csv``."""

    name: str = "csv"
    """Name of the callback."""


@register_parameter_class
@dataclass
class TensorBoardParameters(CallbackParameters):
    """Log all metrics to TensorBoard."""

    name: str = "tensorboard"
    """Name of the callback."""


@register_parameter_class
@dataclass
class WandbParameters(CallbackParameters):
    """Log all metrics to Weights & Biases."""

    name: str = "wandb"
    """Name of the callback."""

    project: Annotated[str | None, NamesOutside("projects that are written to")] = None
    """Project; None: the value of WANDB_PROJECT, else ``nip``."""

    entity: Annotated[str | None, NamesOutside("accounts that are written to")] = None
    """User or team; None: the value of WANDB_ENTITY, else the default of the account."""

    mode: Annotated[
        Literal["online", "offline", "disabled"],
        NamesOutside(
            "services that are sent data",
            lambda wandb: wandb.mode == "online",
            even_by_default=True,
        ),
    ] = "online"
    """Upload during the run, store for ``wandb sync``, or do nothing."""

    group: Annotated[str | None, PLAIN_TEXT] = None
    """Group under which related runs are shown."""

    tags: Annotated[tuple[str, ...], PLAIN_TEXT] = ()
    """Tags of the run."""

    log_checkpoints: bool = False
    """Upload each checkpoint as an artifact."""

    log_rollouts: bool = False
    """Upload samples of rollouts, or transcripts, as an artifact."""


@register_parameter_class
@dataclass
class RolloutSamplesParameters(CallbackParameters):
    """Write a few rollouts at regular intervals, in a readable form."""

    name: str = "rollout_samples"
    """Name of the callback."""

    every: Period = 100
    """Number of iterations between samples."""

    num_rollouts: Count = 4
    """Number of rollouts in each sample."""

    split: Literal["train", "test"] = "test"
    """Split from which the questions are taken."""


@register_parameter_class
@dataclass
class ProfilerParameters(CallbackParameters):
    """Run PyTorch's profiler for a few iterations."""

    name: str = "profiler"
    """Name of the callback."""

    wait: CountOrZero = 1
    """Number of iterations before the profiler starts."""

    warmup: CountOrZero = 1
    """Number of iterations in which it runs without recording."""

    active: Count = 3
    """Number of iterations that it records."""


@register_parameter_class
@dataclass
class AverageAgentWeightsParameters(CallbackParameters):
    """Federated averaging of agents that have the same networks (McMahan et al., 2017)."""

    name: str = "average_agent_weights"
    """Name of the callback."""

    agents: Annotated[tuple[str, ...], PLAIN_TEXT] = ()
    """Names of the agents whose weights are averaged."""

    every: Period = 1
    """Number of iterations between averagings."""

    server_momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Momentum of the averaged weights (Hsu et al., 2019)."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require at least two agents."""
        if len(set(self.agents)) < 2:
            yield (
                f"{at('agents')} must name at least two agents, got {list(self.agents)}. Give for "
                "example [prover0,prover1]."
            )


callback_specs.register("average_agent_weights", CallbackSpec(AverageAgentWeightsParameters))
callback_specs.register("best_checkpoint", CallbackSpec(BestCheckpointParameters))
callback_specs.register("csv", CallbackSpec(CsvParameters, is_observer=True))
callback_specs.register("early_stopping", CallbackSpec(EarlyStoppingParameters))
callback_specs.register("profiler", CallbackSpec(ProfilerParameters, is_observer=True))
callback_specs.register("rollout_samples", CallbackSpec(RolloutSamplesParameters, is_observer=True))
callback_specs.register("tensorboard", CallbackSpec(TensorBoardParameters, is_observer=True))
callback_specs.register("wandb", CallbackSpec(WandbParameters, is_observer=True))
