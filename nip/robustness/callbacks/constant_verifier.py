"""Alarm for a verifier that decides the same in nearly all episodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from nip.parameters.robustness import ConstantVerifierParameters
from nip.robustness.callbacks.alarm import Alarm
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext

if TYPE_CHECKING:
    from nip.trainers.core.trainer import Trainer

DECISION, LABEL = "largest_decision_share", "largest_label_share"
"""Metrics: the shares of the most frequent decision and label of the finished episodes."""

DECISIONS = ("rejected", "accepted", "decided nothing")


@register_callback("constant_verifier", parameters=ConstantVerifierParameters)
class ConstantVerifier(Alarm):
    """Reports a verifier whose decision does not depend on the question.

    The alarm is given if the most frequent decision, or none, has a mean share of at least
    ``threshold`` among the finished episodes of an iteration, and no label is as frequent as that.

    Parameters
    ----------
    **options : Any
        The fields of ``ConstantVerifierParameters``.
    """

    def __init__(self, **options: Any) -> None:
        self.params: ConstantVerifierParameters
        super().__init__(ConstantVerifierParameters(**options))
        self._decision = 0

    def metric_names(self, trainer: Trainer) -> Collection[str]:
        """Return the names of both shares."""
        return (DECISION, LABEL)

    def figures(self, context: TrainingContext) -> Mapping[str, float]:
        """Return both shares; nothing if no episode has ended."""
        frames = context.rollouts
        if frames is None:
            return {}
        finished = frames["next", "done"]
        decisions = frames["next", "verdict"][finished].bincount(minlength=len(DECISIONS))
        labels = frames["y"].squeeze(-1)[finished].bincount(minlength=2)
        total = int(labels.sum())
        if total == 0:
            return {}
        self._decision = int(decisions.argmax())
        return {DECISION: int(decisions.max()) / total, LABEL: int(labels.max()) / total}

    def problems(self, means: Mapping[str, float]) -> Mapping[str, str]:
        """Return a message if the decision is constant, but the label is not."""
        threshold = self.params.threshold
        if means.get(DECISION, 0.0) < threshold or means[LABEL] >= threshold:
            return {}
        return {
            "constant": f"the verifier {DECISIONS[self._decision]} in {means[DECISION]:.1%} of the "
            f"episodes of the last {self.params.window} iterations (threshold {threshold:g}), "
            f"while the most frequent label has a share of {means[LABEL]:.1%}. It does not listen "
            "to the provers. See whether they can tell it anything, raise the entropy bonus, or "
            "let the agents learn in turn."
        }
