"""Which monitored metrics are refused, and what the message suggests."""

import pytest

from nip.errors import UnknownNameError
from nip.trainers.callbacks import Callback
from nip.trainers.core.monitored_metrics import check_monitored

KNOWN = frozenset({"mean_accuracy", "loss", "test_loss", "prover.kl", "verifier.kl"})


def watching(*names: str) -> list[Callback]:
    callback = Callback()
    callback.monitored = names
    return [callback]


def test_known_metrics_are_accepted():
    check_monitored(watching("loss", "verifier.kl"), KNOWN)
    check_monitored([], frozenset())


def test_nothing_is_refused_while_the_names_are_unknown():
    check_monitored(watching("anything"), None)


def test_an_unknown_metric_is_refused_with_the_closest_and_all_others():
    with pytest.raises(UnknownNameError) as caught:
        check_monitored(watching("mean_acuracy"), KNOWN)
    message = str(caught.value)
    assert "Callback has monitor='mean_acuracy', which is never logged" in message
    assert "Did you mean 'mean_accuracy'?" in message
    assert "Choose one of loss, mean_accuracy, test_loss, and those of single agents" in message
    assert "such as prover.kl" in message and "verifier.kl" not in message


def test_an_exchanged_evaluation_may_log_any_metric_of_the_test():
    check_monitored(watching("test_f1"), KNOWN, has_own_evaluation=True)
    with pytest.raises(UnknownNameError):
        check_monitored(watching("train_f1"), KNOWN, has_own_evaluation=True)
    with pytest.raises(UnknownNameError):
        check_monitored(watching("test_f1"), KNOWN)
