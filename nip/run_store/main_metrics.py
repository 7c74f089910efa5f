"""Which metrics a person wants to see first, and what they are called in pictures and tables.

A name is made of a quantity and of whom it concerns: `prover.mean_episode_reward`. A name whose
quantity begins with `test_` was measured on the test split.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

TEST_PREFIX = "test_"


@dataclass(frozen=True)
class Panel:
    """Metrics that belong into one picture, because they answer one question in one unit."""

    title: str
    """What the panel shows."""

    quantities: tuple[str, ...]
    """Metrics without agent and without `test_`, the most important first."""

    is_share: bool = False
    """Whether all values lie between 0 and 1."""


PANELS = (
    Panel(
        "Accuracy",
        ("mean_accuracy", "completeness", "soundness", "worst_datapoint_accuracy"),
        is_share=True,
    ),
    Panel("Reward per episode", ("mean_episode_reward",)),
    Panel("Loss", ("loss", "total_loss", "loss_objective", "loss_critic", "loss_value")),
    Panel("Entropy (share of the maximum)", ("mean_decision_entropy", "mean_message_entropy")),
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
    """Whether it was measured on the test split."""

    def training_name(self) -> str:
        """Return the name of the same metric on the training split."""
        return self.name.replace(TEST_PREFIX, "", 1) if self.is_test else self.name


def parse_metric_name(name: str) -> MetricName:
    """Take a metric's name apart: `test_prover.loss` and `prover.test_loss` mean the same."""
    is_test = name.startswith(TEST_PREFIX)
    subject, _, quantity = re.sub(r"[/:]", ".", name.removeprefix(TEST_PREFIX)).rpartition(".")
    is_test = is_test or quantity.startswith(TEST_PREFIX)
    return MetricName(name, subject, quantity.removeprefix(TEST_PREFIX), is_test)


def metrics_of_panel(panel: Panel, names: Iterable[str]) -> list[MetricName]:
    """Choose the metrics of a panel, by importance, then agent, training before test."""
    parsed = [parse_metric_name(name) for name in names]
    chosen = [metric for metric in parsed if metric.quantity in panel.quantities]
    return sorted(chosen, key=lambda m: (panel.quantities.index(m.quantity), m.subject, m.is_test))


def main_metrics(names: Iterable[str]) -> list[str]:
    """Choose what to show in a small place: the metrics of all panels, the important ones first.

    Without any of those, all names are returned.
    """
    names = sorted(names)
    chosen = [metric.name for panel in PANELS for metric in metrics_of_panel(panel, names)]
    return chosen or names
