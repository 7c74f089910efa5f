"""The main metrics of a run, and the parts of a metric's name.

A name consists of a subject, usually an agent, and a quantity: ``prover.mean_episode_reward``.
Metrics of the test split have the prefix ``test_``. Metrics with the prefix ``pretrain_`` are not
plotted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TEST_PREFIX = "test_"
PRETRAINING_PREFIX = "pretrain_"


@dataclass(frozen=True)
class Panel:
    """Metrics that are plotted together, because they have the same unit."""

    title: str
    """Title of the panel."""

    quantities: tuple[str, ...]
    """Quantities of the panel, in order of importance."""

    is_share: bool = False
    """Whether the values are proportions between 0 and 1."""


PANELS = (
    Panel("Accuracy", ("mean_accuracy", "completeness", "soundness", "accuracy"), is_share=True),
    Panel("Reward per episode", ("mean_episode_reward",)),
    Panel("Loss", ("loss",)),
    Panel("Policy loss", ("loss_objective",)),
    Panel("Critic loss", ("loss_critic",)),
    Panel("Entropy (share of the maximum)", ("mean_message_entropy", "mean_decision_entropy")),
    Panel("Episode length (rounds)", ("mean_episode_length",)),
)
"""All panels, in order of importance."""


@dataclass(frozen=True)
class MetricName:
    """The parts of a metric's name."""

    name: str
    """The full name."""

    subject: str
    """The agent that it belongs to; empty for metrics of the whole run."""

    quantity: str
    """The measured quantity."""

    is_test: bool
    """Whether it was measured on the test split."""

    @property
    def key(self) -> str:
        """Key shared by a metric on the training split and on the test split."""
        return f"{self.subject}.{self.quantity}" if self.subject else self.quantity


def parse_metric_name(name: str) -> MetricName:
    """Parse a metric's name, such as ``test_prover.loss``."""
    subject, _, quantity = name.removeprefix(TEST_PREFIX).rpartition(".")
    return MetricName(name, subject, quantity, name.startswith(TEST_PREFIX))


def metrics_of_panel(panel: Panel, names: Iterable[str]) -> list[MetricName]:
    """Return the metrics of a panel, ordered by importance, agent, and training before test.

    Of a quantity of each agent, the value for the whole run is excluded, because it is their sum.
    """
    parsed = [parse_metric_name(name) for name in names if not name.startswith(PRETRAINING_PREFIX)]
    chosen = [metric for metric in parsed if metric.quantity in panel.quantities]
    by_agent = {metric.quantity for metric in chosen if metric.subject}
    chosen = [metric for metric in chosen if metric.subject or metric.quantity not in by_agent]
    return sorted(chosen, key=lambda m: (panel.quantities.index(m.quantity), m.subject, m.is_test))


def main_metrics(names: Iterable[str]) -> Sequence[MetricName]:
    """Return the metrics of all panels, in order of importance; all metrics if there are none."""
    names = sorted(names)
    chosen = [metric for panel in PANELS for metric in metrics_of_panel(panel, names)]
    return chosen or [parse_metric_name(name) for name in names]
