"""Alarm for provers whose messages carry no information."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from nip.errors import UnknownNameError, unknown_name
from nip.parameters.robustness import SilentProverParameters
from nip.robustness.callbacks.alarm import Alarm
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext

if TYPE_CHECKING:
    from nip.trainers.core.trainer import Trainer

METRIC = "message_information"
"""Metric of each agent that is watched."""


@register_callback("silent_prover", parameters=SilentProverParameters)
class SilentProver(Alarm):
    """Reports provers that write the same whatever the question.

    The figure of a prover is the mutual information in bits of one symbol of its first message and
    the question, with all that was written before: ``nip.robustness.message_information`` has the
    formula. It is that of the most informative place of the message: since the symbols of a message
    are drawn independently, the message carries no information exactly if no symbol does. The alarm
    is given for a prover if the mean is below ``min_bits``.

    Parameters
    ----------
    **options : Any
        The fields of ``SilentProverParameters``.
    """

    def __init__(self, **options: Any) -> None:
        self.params: SilentProverParameters
        super().__init__(SilentProverParameters(**options))

    def check(self, trainer: Trainer) -> None:
        """Refuse unknown agents too."""
        super().check(trainer)
        for name in self.params.agents or ():
            known = trainer.protocol_handler.agent_names
            if name not in known:
                raise UnknownNameError(
                    f"callbacks.silent_prover.agents: {unknown_name('agent', name, known)}"
                )

    def metric_names(self, trainer: Trainer) -> Collection[str]:
        """Return the metric of each agent that is watched."""
        return [f"{name}.{METRIC}" for name in self._agents(trainer)]

    def figures(self, context: TrainingContext) -> Mapping[str, float]:
        """Return the information in the first message of each agent that has written one."""
        # Imported here, because this module is also imported without torch.
        from nip.robustness.message_information import first_message_probabilities, information

        found: dict[str, float] = {}
        if context.rollouts is None:
            return found
        protocol = context.trainer.protocol_handler
        for name in self._agents(context.trainer):
            places = first_message_probabilities(context.rollouts, protocol, name)
            if bits := [information(place) for place, _ in places if len(place) > 1]:
                found[f"{name}.{METRIC}"] = max(bits)
        return found

    def problems(self, means: Mapping[str, float]) -> Mapping[str, str]:
        """Return a message for each silent prover."""
        return {
            name: f"the first message of {name.removesuffix('.' + METRIC)} carries {bits:.4f} bits "
            f"about the question (min_bits {self.params.min_bits:g}): it writes the same whatever "
            "it sees. See whether its reward depends on its messages, raise the entropy bonus or "
            "its learning rate, or watch whom it convinces."
            for name, bits in means.items()
            if bits < self.params.min_bits
        }

    def _agents(self, trainer: Trainer) -> tuple[str, ...]:
        if self.params.agents is not None:
            return self.params.agents
        agents = trainer.hyper_params.agents
        return tuple(n for n in trainer.protocol_handler.prover_names if not agents[n].is_random)
