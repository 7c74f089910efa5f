"""Alarm for labels that can be read off without the argument of the provers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from nip.parameters.robustness import LabelLeakParameters
from nip.robustness.callbacks.alarm import Alarm
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext

if TYPE_CHECKING:
    from nip.trainers.core.trainer import Trainer

TOLD = "label_from_message"
"""Metric of each prover that has an interest in one decision."""

WITHOUT, KEPT = "accuracy_with_random_provers", "kept_with_random_provers"
"""Metrics of the measurements with random provers."""


@register_callback("label_leak", parameters=LabelLeakParameters)
class LabelLeak(Alarm):
    r"""Reports a verifier that needs no argument, because the label is given away.

    There are two ways in which it may be. A prover that gains from one decision whatever the label
    has no reason to tell the label; if one symbol of its first message tells it with a mean
    accuracy of at least ``max_accuracy``, something does so in its place, such as the symbols that
    are legal. ``nip.robustness.message_information.label_accuracy`` has the formula. Provers that
    share the reward of the verifier are not measured.

    And the verifier may see the label itself. With its accuracy :math:`a` on the test split, its
    accuracy :math:`a'` if the provers write random legal symbols, and the share :math:`m` of the
    most frequent label, random provers keep

    .. math:: \frac{a' - m}{\max(a - m, \mathit{min\_gain})}

    of what the verifier gains over a constant decision. The alarm is given if the mean is above
    ``max_kept_share``. Each measurement plays two episodes about each of ``num_datapoints``
    datapoints, with random numbers of its own.

    Parameters
    ----------
    **options : Any
        The fields of ``LabelLeakParameters``.
    """

    def __init__(self, **options: Any) -> None:
        self.params: LabelLeakParameters
        super().__init__(LabelLeakParameters(**options))

    def metric_names(self, trainer: Trainer) -> Collection[str]:
        """Return the metrics of adversarial provers, and those with random provers."""
        return [*(f"{name}.{TOLD}" for name in _adversaries(trainer)), WITHOUT, KEPT]

    def figures(self, context: TrainingContext) -> Mapping[str, float]:
        """Return how well messages tell the label, and at intervals what random provers keep."""
        # Imported here, because this module is also imported without torch.
        from nip.robustness.message_information import first_message_probabilities, label_accuracy

        trainer, found = context.trainer, {}
        if context.rollouts is not None:
            for name in _adversaries(trainer):
                places = first_message_probabilities(
                    context.rollouts, trainer.protocol_handler, name
                )
                told = [label_accuracy(place, y) for place, y in places]
                if known := [accuracy for accuracy in told if accuracy is not None]:
                    found[f"{name}.{TOLD}"] = max(known)
        has_provers = len(trainer.protocol_handler.prover_names) > 0
        if has_provers and (context.iteration + 1) % self.params.every == 0:
            found |= self._without_provers(trainer)
        return found

    def problems(self, means: Mapping[str, float]) -> Mapping[str, str]:
        """Return a message for each way in which the label is given away."""
        limit, kept = self.params.max_accuracy, means.get(KEPT, 0.0)
        found = {
            name: f"one symbol of the first message of {name.removesuffix('.' + TOLD)} tells the "
            f"label in {accuracy:.1%} of the episodes (max_accuracy {limit:g}), although this "
            "prover gains from one decision whatever the label. See whether the symbols that it "
            "may choose, or what it sees, depend on the label."
            for name, accuracy in means.items()
            if name.endswith(TOLD) and accuracy >= limit
        }
        if kept > self.params.max_kept_share:
            found[KEPT] = (
                f"with provers that write at random, the verifier keeps {kept:.1%} of what it "
                f"gains over a constant decision (max_kept_share {self.params.max_kept_share:g}): "
                "it does not need the provers. See whether its observations give away the label, "
                "or make it weaker."
            )
        return found

    def _without_provers(self, trainer: Any) -> dict[str, float]:
        import torch

        from nip.robustness.episodes import play_episodes
        from nip.seeding import stable_seed

        instance, hyper_params = trainer.scenario_instance, trainer.hyper_params
        environment, protocol = instance.test_environment, trainer.protocol_handler
        seed = stable_seed(hyper_params.seed, self.params.name)
        labels = environment.dataset.y
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        rows = order[: self.params.num_datapoints].to(labels.device)
        accuracy, without = (
            float(
                play_episodes(
                    environment,
                    instance.agents,
                    rows,
                    range(protocol.num_variants),
                    num_repeats=1,
                    greedy=hyper_params.rl.greedy_test,
                    seed=seed,
                    random_agents=names,
                )
                .is_right.double()
                .mean()
            )
            for names in ((), protocol.prover_names)
        )
        majority = float(labels[rows].bincount(minlength=2).max()) / len(rows)
        gain = max(accuracy - majority, self.params.min_gain)
        kept = (without - majority) / gain if gain > 0 else 0.0
        return {WITHOUT: without, KEPT: kept}


def _adversaries(trainer: Trainer) -> tuple[str, ...]:
    """Return the provers that gain from one decision whatever the label."""
    protocol = trainer.protocol_handler
    if protocol.common.shared_reward:
        return ()
    agents = trainer.hyper_params.agents
    return tuple(name for name in protocol.prover_goals if not agents[name].is_random)
