"""Which metrics a person wants to see first, and what they are called in pictures and tables.

A name is made of whom it concerns and of a quantity: ``prover.mean_episode_reward``. What was
measured in the test after training has ``test_`` before the name. What begins with ``pretrain_``
belongs to no curve.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TEST_PREFIX = "test_"
PRETRAINING_PREFIX = "pretrain_"


@dataclass(frozen=True)
class Panel:
    """Metrics that belong into one picture, because they answer one question in one unit."""

    title: str
    """What the panel shows."""

    quantities: tuple[str, ...]
    """What is measured, the most important first."""

    is_share: bool = False
    """Whether all values lie between 0 and 1."""


PANELS = (
    Panel("Accuracy", ("mean_accuracy", "completeness", "soundness", "accuracy"), is_share=True),
    Panel("Reward per episode", ("mean_episode_reward",)),
    Panel("Loss", ("loss",)),
    Panel("Policy loss", ("loss_objective",)),
    Panel("Critic loss", ("loss_critic",)),
    Panel("Entropy (share of the maximum)", ("mean_message_entropy", "mean_decision_entropy")),
    Panel("Episode length (rounds)", ("mean_episode_length",)),
)
"""All panels that can be shown, the most important first."""


@dataclass(frozen=True)
class MetricName:
    """A metric's name, taken apart."""

    name: str
    """The whole name."""

    subject: str
    """Whom it concerns, usually an agent; empty for the run as a whole."""

    quantity: str
    """What was measured."""

    is_test: bool
    """Whether it was measured in the test after training."""

    @property
    def key(self) -> str:
        """What the training metric and the test metric of one kind have in common."""
        return f"{self.subject}.{self.quantity}" if self.subject else self.quantity


def parse_metric_name(name: str) -> MetricName:
    """Take a metric's name apart, as in ``test_prover.loss``."""
    subject, _, quantity = name.removeprefix(TEST_PREFIX).rpartition(".")
    return MetricName(name, subject, quantity, name.startswith(TEST_PREFIX))


def metrics_of_panel(panel: Panel, names: Iterable[str]) -> list[MetricName]:
    """Choose the metrics of a panel, by importance, then agent, training before test.

    Where a quantity is known of each agent, its value for the whole run is left out: it is their
    sum.
    """
    parsed = [parse_metric_name(name) for name in names if not name.startswith(PRETRAINING_PREFIX)]
    chosen = [metric for metric in parsed if metric.quantity in panel.quantities]
    by_agent = {metric.quantity for metric in chosen if metric.subject}
    chosen = [metric for metric in chosen if metric.subject or metric.quantity not in by_agent]
    return sorted(chosen, key=lambda m: (panel.quantities.index(m.quantity), m.subject, m.is_test))


def main_metrics(names: Iterable[str]) -> Sequence[MetricName]:
    """Choose what to show in a small place: the metrics of all panels, the important ones first.

    Without any of those, all metrics are returned.
    """
    names = sorted(names)
    chosen = [metric for panel in PANELS for metric in metrics_of_panel(panel, names)]
    return chosen or [parse_metric_name(name) for name in names]
