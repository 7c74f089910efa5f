"""Alarm for a verifier that decides the same in nearly all episodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nip.parameters.robustness import ConstantVerifierParameters
from nip.robustness.callbacks.alarm import Alarm
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext
from nip.utils.nested_array_dict import NestedArrayDict

if TYPE_CHECKING:
    from tensordict import TensorDictBase

    from nip.trainers.core.trainer import Trainer

DECISION, LABEL = "largest_decision_share", "largest_label_share"
"""Metrics: the shares of the most frequent decision and label of the finished episodes."""

DECISIONS = ("rejected", "accepted", "decided nothing")

WAYS_OUT = {
    "tensordict": "raise the entropy bonus",
    "text": "let it learn from as many acceptances as rejections (balance_verdicts)",
}
"""What to try, by the kind of data of the trainer."""


@register_callback("constant_verifier", parameters=ConstantVerifierParameters)
class ConstantVerifier(Alarm):
    """Reports a verifier whose decision does not depend on the question.

    The alarm is given if the most frequent decision, or none, has a mean share of at least
    ``threshold`` among the finished episodes of an iteration, and no label is as frequent as that.
    Trainers of language models watch their training dialogues in this way by default.

    Parameters
    ----------
    **options : Any
        The fields of ``ConstantVerifierParameters``.
    """

    def __init__(self, **options: Any) -> None:
        self.params: ConstantVerifierParameters
        super().__init__(ConstantVerifierParameters(**options))
        self._decision = self._num_episodes = 0
        self._way_out = WAYS_OUT["tensordict"]

    def metric_names(self, trainer: Trainer) -> Collection[str]:
        """Return the names of both shares."""
        return (DECISION, LABEL)

    def figures(self, context: TrainingContext) -> Mapping[str, float]:
        """Return both shares; nothing if no episode has ended."""
        if context.rollouts is None:
            return {}
        decisions, labels = _numbers(context.rollouts)
        self._num_episodes = total = sum(labels)
        if total == 0:
            return {}
        self._decision = decisions.index(max(decisions))
        is_text = isinstance(context.rollouts, NestedArrayDict)
        self._way_out = WAYS_OUT["text" if is_text else "tensordict"]
        return {DECISION: max(decisions) / total, LABEL: max(labels) / total}

    def counts(self) -> bool:
        """Return whether enough episodes have ended."""
        return self._num_episodes >= self.params.min_episodes

    def problems(self, means: Mapping[str, float]) -> Mapping[str, str]:
        """Return a message if the decision is constant, but the label is not."""
        threshold = self.params.threshold
        if means.get(DECISION, 0.0) < threshold or means[LABEL] >= threshold:
            return {}
        return {
            "constant": f"the verifier {DECISIONS[self._decision]} in {means[DECISION]:.1%} of the "
            f"episodes of the last {self.params.window} iterations (threshold {threshold:g}), "
            f"while the most frequent label has a share of {means[LABEL]:.1%}. It does not listen "
            f"to the provers. See whether they can tell it anything, {self._way_out}, or let the "
            "agents learn in turn."
        }


def _numbers(rollouts: TensorDictBase | NestedArrayDict) -> tuple[list[int], list[int]]:
    """Count the decisions and the labels of the episodes or dialogues that are finished."""
    if isinstance(rollouts, NestedArrayDict):
        finished = ~rollouts["failed"]
        counts = [
            np.bincount(rollouts[name][finished], minlength=size)
            for name, size in (("verdict", len(DECISIONS)), ("y", 2))
        ]
    else:
        finished = rollouts["next", "done"]
        counts = [
            rollouts["next", "verdict"][finished].bincount(minlength=len(DECISIONS)),
            rollouts["y"].squeeze(-1)[finished].bincount(minlength=2),
        ]
    decisions, labels = (each.tolist() for each in counts)
    return decisions, labels
