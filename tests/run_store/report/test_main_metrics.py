"""Choice and order of the main metrics."""

import pytest

from nip.run_store.report.main_metrics import (
    PANELS,
    main_metrics,
    metrics_of_panel,
    parse_metric_name,
)


@pytest.mark.parametrize(
    ("name", "subject", "quantity", "is_test"),
    [
        ("mean_accuracy", "", "mean_accuracy", False),
        ("test_mean_accuracy", "", "mean_accuracy", True),
        ("prover.mean_episode_reward", "prover", "mean_episode_reward", False),
        ("test_prover.mean_episode_reward", "prover", "mean_episode_reward", True),
    ],
)
def test_names_are_taken_apart(name, subject, quantity, is_test):
    parsed = parse_metric_name(name)
    assert (parsed.subject, parsed.quantity, parsed.is_test) == (subject, quantity, is_test)


def test_training_and_test_metrics_of_one_kind_share_their_key():
    names = ("prover.loss", "test_prover.loss")
    assert {parse_metric_name(name).key for name in names} == {"prover.loss"}
    assert parse_metric_name("test_mean_accuracy").key == "mean_accuracy"


def test_a_panel_lists_the_important_first_and_each_test_value_after_its_training_value():
    names = ["soundness", "test_mean_accuracy", "mean_accuracy", "other", "std_accuracy"]
    chosen = [metric.name for metric in metrics_of_panel(PANELS[0], names)]
    assert chosen == ["mean_accuracy", "test_mean_accuracy", "soundness"]


def test_the_sum_over_agents_is_left_out_where_each_is_known():
    (panel,) = [panel for panel in PANELS if panel.title == "Policy loss"]
    names = ["loss_objective", "prover.loss_objective", "pretrain_prover.loss_objective"]
    assert [metric.name for metric in metrics_of_panel(panel, names)] == ["prover.loss_objective"]
    assert [metric.name for metric in metrics_of_panel(panel, names[:1])] == ["loss_objective"]


def test_main_metrics_are_those_of_the_panels_or_else_all():
    names = ["zeta", "verifier.mean_episode_reward", "mean_accuracy", "prover.mean_episode_reward"]
    assert [metric.name for metric in main_metrics(names)] == [
        "mean_accuracy",
        "prover.mean_episode_reward",
        "verifier.mean_episode_reward",
    ]
    assert [metric.name for metric in main_metrics(["b", "a"])] == ["a", "b"]
