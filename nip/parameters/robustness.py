"""Parameters of the callbacks that attack the verifier during training, or watch for collapses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le

from nip.parameters.callbacks import CallbackParameters, CallbackSpec, callback_specs
from nip.parameters.fields.outside_names import PLAIN_TEXT
from nip.parameters.parameters_base import register_parameter_class
from nip.parameters.specs import trainer_specs, why_no_network_plays
from nip.parameters.types import Count, CountOrZero, Period, Positive, UnitInterval

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters

Majority = Annotated[float, Gt(0.5), Le(1)]
"""A share of more than a half."""


@register_parameter_class
@dataclass
class EpisodeCallbackParameters(CallbackParameters):
    """Base class of the parameters of callbacks that need networks which play episodes."""

    def problems_in(self, hyper_params: HyperParameters, path: str) -> Iterator[str]:
        """Yield a message unless networks play episodes."""
        if reason := why_no_network_plays(hyper_params):
            yield (
                f"{path}: {self.name} needs networks that play episodes, got {reason}. Remove it, "
                "or train networks with vanilla_ppo, reinforce or spg."
            )


@register_parameter_class
@dataclass
class AttackParameters(EpisodeCallbackParameters):
    """Attack the frozen verifier at regular intervals, and log the accuracy that survives."""

    name: str = "attack"
    """Name of the callback."""

    every: Period = 50
    """Number of iterations between attacks."""

    num_iterations: Count = 10
    """Iterations of training of the provers that attack."""

    num_seeds: Count = 1
    """Number of attacks against each label, each from other initial weights."""

    num_repeats: Count = 4
    """Episodes about each datapoint in which an attack is measured, if actions are sampled."""

    max_datapoints: Annotated[int, Ge(1)] | None = 100
    """Datapoints of each label in which it is measured; None: all of the test split."""

    search: bool = True
    """Whether all answers are tried as well."""

    max_states: Count = 20_000
    """Most states of one round in that search; above it, the search is left out."""


@register_parameter_class
@dataclass
class AlarmParameters(EpisodeCallbackParameters):
    """Parameters shared by all alarms."""

    action: Literal["warn", "stop", "raise"] = "warn"
    """What to do when the alarm is given, once: warn, stop training, or raise an error."""

    warmup: CountOrZero = 20
    """Number of iterations before the alarm watches, in which agents are still untrained."""

    window: Count = 5
    """Number of consecutive values whose mean has to pass the threshold."""


@register_parameter_class
@dataclass
class ConstantVerifierParameters(AlarmParameters):
    """Alarm if the verifier decides the same in nearly all episodes."""

    name: str = "constant_verifier"
    """Name of the callback."""

    threshold: Majority = 0.98
    """Share of the most frequent decision from which the alarm is given."""

    min_episodes: Count = 20
    """Finished episodes that an iteration must have to count."""

    def problems_in(self, hyper_params: HyperParameters, path: str) -> Iterator[str]:
        """Yield a message for trainers without decisions; dialogues have them too."""
        if trainer_specs[hyper_params.trainer].data != "text":
            yield from super().problems_in(hyper_params, path)


@register_parameter_class
@dataclass
class SilentProverParameters(AlarmParameters):
    """Alarm if the messages of a prover carry no information."""

    name: str = "silent_prover"
    """Name of the callback."""

    agents: Annotated[tuple[str, ...] | None, PLAIN_TEXT] = None
    """Names of the agents that are watched; None: all provers that are not random."""

    min_bits: Positive = 0.01
    """Information of the first message about the datapoint below which the alarm is given."""


@register_parameter_class
@dataclass
class LabelLeakParameters(AlarmParameters):
    """Alarm if the label can be read off without the argument of the provers."""

    name: str = "label_leak"
    """Name of the callback."""

    max_accuracy: Majority = 0.98
    """Share of labels told by one symbol of a prover from which the alarm is given."""

    every: Period = 5
    """Number of iterations between measurements with random provers."""

    num_datapoints: Count = 200
    """Datapoints of the test split in each of these measurements."""

    min_gain: UnitInterval = 0.1
    """Smallest gain of accuracy over a constant decision for which it matters who causes it."""

    max_kept_share: UnitInterval = 0.9
    """Share of that gain, kept with random provers, from which the alarm is given."""


callback_specs.register("attack", CallbackSpec(AttackParameters, is_observer=True))
for _alarm in (ConstantVerifierParameters, LabelLeakParameters, SilentProverParameters):
    callback_specs.register(_alarm.name, CallbackSpec(_alarm, observes_if=("action", "warn")))
