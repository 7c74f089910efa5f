"""Parameters of the callbacks: what watches a training run, or steps in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Lt

from nip.parameters.named_components import NamedComponent
from nip.parameters.parameters_base import register_parameter_class
from nip.parameters.specs import trainer_specs
from nip.parameters.types import Count, CountOrZero, NonNegative
from nip.registry import Registry

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


@register_parameter_class
@dataclass
class CallbackParameters(NamedComponent):
    """A callback without options; derived classes have some."""


@dataclass(frozen=True)
class CallbackSpec:
    """What the parameters must know of a callback."""

    parameters: type[CallbackParameters] = CallbackParameters
    """Class of its options."""

    is_observer: bool = False
    """Whether it only looks on, so that a run may go on with it or without it."""


callback_specs: Registry[CallbackSpec] = Registry("callback")
"""Facts of all callbacks by name."""

Mode = Literal["max", "min"]
"""Whether larger or smaller values of a metric are better."""


@register_parameter_class
@dataclass
class MonitoringParameters(CallbackParameters):
    """What callbacks share that watch one metric."""

    monitor: str = "test_mean_accuracy"
    """Metric that is watched; those that begin with ``test_`` come from evaluations."""

    mode: Mode = "max"
    """Whether larger (``max``) or smaller (``min``) values are better."""

    min_delta: NonNegative = 0.0
    """Smallest change that counts as an improvement."""

    def problems_in(self, hyper_params: HyperParameters, path: str) -> Iterator[str]:
        """Refuse to watch a metric of evaluations where there are none."""
        if not self.monitor.startswith("test_"):
            return
        is_text = _learns_from_texts(hyper_params)
        if is_text and hyper_params.text_rl.test_scheme == "none":
            yield (
                f"{path}.monitor={self.monitor!r} is a metric of tests, but text_rl.test_scheme is "
                "'none'. Set text_rl.test_scheme=all, or watch a metric of training."
            )
        num_iterations = hyper_params.get(trainer_specs[hyper_params.trainer].num_iterations)
        if not is_text and (hyper_params.eval_every or 0) > num_iterations:
            yield (
                f"{path}.monitor={self.monitor!r} is a metric of evaluations, but eval_every="
                f"{hyper_params.eval_every} is more than the {num_iterations} iterations, so there "
                "are none during training. Lower it, or watch a metric of training."
            )
        if not is_text and hyper_params.eval_every is None:
            yield (
                f"{path}.monitor={self.monitor!r} is a metric of evaluations, but eval_every is "
                "None, so there are none during training. Set eval_every=1 or more, or watch a "
                "metric of training."
            )


def _learns_from_texts(hyper_params: HyperParameters) -> bool:
    return trainer_specs[hyper_params.trainer].data == "text"


@register_parameter_class
@dataclass
class EarlyStoppingParameters(MonitoringParameters):
    """Stopping when a metric no longer improves."""

    name: str = "early_stopping"
    """What chooses this callback."""

    patience: Count = 5
    """Values in a row without improvement after which training stops."""

    threshold: float | None = None
    """Value that is good enough: training stops when it is reached."""

    divergence: float | None = None
    """Value so bad that training stops at once."""

    save_best: bool = True
    """Keep the checkpoint of the best value."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require that what is good enough is better than what is too bad."""
        if self.threshold is None or self.divergence is None:
            return
        low, high = sorted((self.threshold, self.divergence))
        if low == high or (self.threshold == low) != (self.mode == "min"):
            yield (
                f"{at('threshold')} must be better than {at('divergence')} ({self.divergence!r}) "
                f"in the sense of {at('mode')}={self.mode!r}, got {self.threshold!r}. Exchange "
                "them, or choose the other mode."
            )


@register_parameter_class
@dataclass
class BestCheckpointParameters(MonitoringParameters):
    """Keeping the checkpoint with the best value of a metric."""

    name: str = "best_checkpoint"
    """What chooses this callback."""

    def problems_in(self, hyper_params: HyperParameters, path: str) -> Iterator[str]:
        """Refuse language models, of which there are no checkpoints."""
        yield from super().problems_in(hyper_params, path)
        if _learns_from_texts(hyper_params):
            yield (
                f"{path}: best_checkpoint keeps weights of networks, but trainer="
                f"{hyper_params.trainer!r} has language models, whose service keeps all that were "
                "fine-tuned. Leave it out; early_stopping tells the best iteration."
            )


@register_parameter_class
@dataclass
class CsvParameters(CallbackParameters):
    """A table of all metrics as ``metrics.csv``."""

    name: str = "csv"
    """What chooses this callback."""


@register_parameter_class
@dataclass
class TensorBoardParameters(CallbackParameters):
    """All metrics for TensorBoard."""

    name: str = "tensorboard"
    """What chooses this callback."""


@register_parameter_class
@dataclass
class WandbParameters(CallbackParameters):
    """All metrics for Weights & Biases."""

    name: str = "wandb"
    """What chooses this callback."""

    project: str | None = None
    """Project; None: what WANDB_PROJECT says, else ``nip``."""

    entity: str | None = None
    """User or team; None: what WANDB_ENTITY says, else that of the account."""

    mode: Literal["online", "offline", "disabled"] = "online"
    """Send at once, keep for ``wandb sync``, or do nothing."""

    group: str | None = None
    """Group of runs that belong together."""

    tags: tuple[str, ...] = ()
    """Words to find the run by."""

    log_checkpoints: bool = False
    """Send each checkpoint as an artifact."""

    log_rollouts: bool = False
    """Send samples of rollouts, or transcripts, as an artifact."""


@register_parameter_class
@dataclass
class RolloutSamplesParameters(CallbackParameters):
    """A few rollouts now and then, written for people to read."""

    name: str = "rollout_samples"
    """What chooses this callback."""

    every: Count = 100
    """Iterations from one sample to the next."""

    num_rollouts: Count = 4
    """Rollouts of each sample."""

    split: Literal["train", "test"] = "test"
    """Where the questions come from."""


@register_parameter_class
@dataclass
class ProfilerParameters(CallbackParameters):
    """PyTorch's profiler over a few iterations."""

    name: str = "profiler"
    """What chooses this callback."""

    wait: CountOrZero = 1
    """Iterations before it begins."""

    warmup: CountOrZero = 1
    """Iterations in which it runs, but keeps nothing."""

    active: Count = 3
    """Iterations that it records."""


@register_parameter_class
@dataclass
class AverageAgentWeightsParameters(CallbackParameters):
    """Federated averaging of agents that have the same networks (McMahan et al., 2017)."""

    name: str = "average_agent_weights"
    """What chooses this callback."""

    agents: tuple[str, ...] = ()
    """Agents whose weights become their mean."""

    every: Count = 1
    """Iterations from one averaging to the next."""

    server_momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of the last change of the mean that is added to the next (Hsu et al., 2019)."""

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require somebody to average with."""
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
