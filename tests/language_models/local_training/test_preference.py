"""The loss of preferences, with and without the cross-entropy of the preferred answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import exp, log, log1p
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from nip.language_models.local_training.examples import Example
from nip.language_models.local_training.objectives import Preference

PREFERRED, OTHER, THIRD = 0, 1, 2
"""Tokens of a preferred answer, of the other one, and one that is in no pair."""

REFERENCE = (0.25, 0.25, 0.5)
MODEL = (0.5, 0.2, 0.3)
"""Their probabilities before and in the training."""

BASE = (0.4, 0.4, 0.2)
"""Those of another reference."""


class Die:
    """A model that writes three tokens with fixed probabilities."""

    def __init__(self, probabilities: tuple[float, ...]) -> None:
        self.logits = torch.tensor([log(each) for each in probabilities], requires_grad=True)

    def __call__(self, input_ids: torch.Tensor, logits_to_keep: int, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits.expand(len(input_ids), logits_to_keep, 3))

    def eval(self) -> None:
        """Do nothing."""


@contextmanager
def open_model(folder: str | None) -> Iterator[Die]:
    """Open the model before the training, or in the folder ``base``."""
    yield Die({None: REFERENCE, "base": BASE}[folder])


def pair(length: int) -> tuple[Example, Example]:
    """Return a preferred answer with some tokens, and another with one."""
    return Example([0] + length * [PREFERRED], 1), Example([0, OTHER], 1)


def loss_of(
    lengths: list[int], beta: float, **given: Any
) -> tuple[float, dict[str, float], torch.Tensor]:
    """Return the loss of pairs, what is reported of it, and its gradient by token."""
    pairs = [pair(length) for length in lengths]
    objective = Preference(pairs, beta, open_model=open_model, **given)
    model = Die(MODEL)
    objective.prepare(model, "cpu")
    loss = objective.loss(model, range(len(lengths)), "cpu")
    loss.backward()
    measures = {name: float(value) for name, value in objective.measures().items()}
    return loss.item(), measures, model.logits.grad


@pytest.mark.parametrize("beta", [0.1, 1.0])
def test_the_loss_is_that_of_the_log_ratios(beta: float) -> None:
    loss, measures, _ = loss_of([1, 2], beta)
    # The preferred token has gained a factor of 2, the other has lost one of 1.25.
    margins = [beta * log(2 * 1.25), beta * log(2 * 2 * 1.25)]
    assert loss == pytest.approx(sum(log1p(exp(-margin)) for margin in margins))
    assert measures == {"accuracy": 2.0, "margin": pytest.approx(sum(margins))}


def test_the_cross_entropy_is_a_mean_over_the_tokens_of_the_preferred_answer() -> None:
    plain, _, _ = loss_of([1, 2], 0.5)
    loss, measures, _ = loss_of([1, 2], 0.5, rpo_alpha=0.3)
    assert measures["cross_entropy"] == pytest.approx(2 * log(2))
    assert loss == pytest.approx(plain + 0.3 * 2 * log(2))


def test_only_the_cross_entropy_makes_a_third_answer_less_probable() -> None:
    _, _, plain = loss_of([1], 1.0)
    _, _, with_cross_entropy = loss_of([1], 1.0, rpo_alpha=1.0)
    # Descent along the gradient: a positive one makes a token less probable.
    assert plain[PREFERRED] == pytest.approx(-plain[OTHER])
    assert plain[PREFERRED] < 0
    assert plain[THIRD] == pytest.approx(0.0, abs=1e-6)
    assert with_cross_entropy[THIRD] == pytest.approx(MODEL[THIRD])


def test_pairs_in_the_wrong_order_are_no_success() -> None:
    objective = Preference([pair(1)], 1.0, open_model=open_model)
    model = Die((0.2, 0.25, 0.55))
    objective.prepare(model, "cpu")
    objective.loss(model, [0], "cpu")
    assert float(objective.measures()["accuracy"]) == 0.0
    assert float(objective.measures()["margin"]) == pytest.approx(log(0.2 / 0.25))


def test_the_reference_can_be_another_model_than_the_one_before_the_training() -> None:
    loss, measures, _ = loss_of([1], 1.0, reference_model="base")
    margin = log(0.5 / 0.4) - log(0.2 / 0.4)
    assert measures["margin"] == pytest.approx(margin)
    assert loss == pytest.approx(log1p(exp(-margin)))
