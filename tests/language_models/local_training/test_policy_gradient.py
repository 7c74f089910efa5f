"""The loss of policy gradients, the models that it refers to, and a bandit."""

from contextlib import contextmanager
from math import exp, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("peft", reason="the extra lm-local is missing")

import torch

from nip.language_models.chat import ChatMessage, Sampling
from nip.language_models.fine_tuning import ScoredResponse, policy_gradient_dataset
from nip.language_models.local_model.folder import load_folder
from nip.language_models.local_model.generation import Question, answer_together
from nip.language_models.local_training.examples import Example, read_lines, response_example
from nip.language_models.local_training.job_folder import JobFolder
from nip.language_models.local_training.policy_gradient import PolicyGradient, Response
from nip.language_models.local_training.training import run_job
from tests.language_models.local_model.tiny_model import make_model, make_tokenizer
from tests.language_models.local_training.jobs import (
    conversation,
    make_job,
    policy_gradient,
    write_examples,
    write_responses,
)

CHOSEN = 1
"""The token of all responses."""


class Coin:
    """A model with two tokens, of which it writes ``CHOSEN`` with a fixed probability."""

    def __init__(self, probability: float) -> None:
        self.logits = torch.tensor([log(1 - probability), log(probability)], requires_grad=True)

    def __call__(self, input_ids: torch.Tensor, logits_to_keep: int, **_: Any) -> SimpleNamespace:
        shape = (len(input_ids), logits_to_keep, 2)
        return SimpleNamespace(logits=self.logits.expand(shape))

    def eval(self) -> None:
        """Do nothing."""


def response(advantage: float, **given: Any) -> Response:
    return Response(Example([0, CHOSEN], 1), advantage, **given)


def loss_of(
    responses: list[Response], probability: float, others: dict[Any, float], **given: Any
) -> tuple[float, dict[str, float], Coin]:
    """Return the loss of a model, given the probabilities of those in other folders."""

    @contextmanager
    def open_model(folder: str | None):
        yield Coin(others[folder])

    values = {"clip_epsilon": 0.2, "kl_coefficient": 0.0, "reference_model": "reference"}
    values |= {"earlier_models": (), **given}
    objective = PolicyGradient(responses, **values, open_model=open_model)
    objective.prepare(None, "cpu")
    model = Coin(probability)
    loss = objective.loss(model, range(len(responses)), "cpu")
    loss.backward()
    return loss.item(), {name: float(v) for name, v in objective.measures().items()}, model


@pytest.mark.parametrize(
    ("advantage", "probability", "expected", "is_clipped"),
    [
        # The ratio to the old probability of 0.5 is 1, 1.5 or 0.5; it is clipped to 1.2 or 0.8
        # where the response has become more probable and is good, or less probable and is bad.
        (1.0, 0.5, -1.0, False),
        (1.0, 0.75, -1.2, True),
        (1.0, 0.25, -0.5, False),
        (-1.0, 0.75, 1.5, False),
        (-1.0, 0.25, 0.8, True),
        (2.0, 0.75, -2.4, True),
    ],
)
def test_the_ratio_is_clipped_on_the_side_of_its_advantage(
    advantage: float, probability: float, expected: float, is_clipped: bool
) -> None:
    loss, measures, model = loss_of([response(advantage)], probability, {None: 0.5})
    assert loss == pytest.approx(expected)
    assert measures == {"clipped_share": float(is_clipped)}
    assert bool(model.logits.grad.abs().sum() == 0) is is_clipped


def test_the_penalty_is_an_unbiased_estimate_of_the_divergence() -> None:
    others = {None: 0.75, "reference": 0.25}
    loss, measures, _ = loss_of([response(0.0)], 0.75, others, kl_coefficient=0.1)
    # The reference gives the token a third of the probability that the model gives it.
    assert measures["kl"] == pytest.approx(1 / 3 + log(3) - 1)
    assert loss == pytest.approx(0.1 * (1 / 3 + log(3) - 1))
    # In the mean over both tokens it is the divergence of the model from the reference.
    other = 0.75 / 0.25 - log(3) - 1
    divergence = 0.75 * log(3) + 0.25 * log(1 / 3)
    assert 0.75 * measures["kl"] + 0.25 * other == pytest.approx(divergence)


def test_a_response_of_an_earlier_model_is_compared_with_that() -> None:
    responses = [response(1.0), response(1.0, policy=1)]
    others = {None: 0.5, "earlier": 0.55}
    loss, _, _ = loss_of(responses, 0.5, others, earlier_models=("earlier",))
    assert loss == pytest.approx(-1.0 - 0.5 / 0.55)


def test_probabilities_are_those_at_the_temperature_of_sampling() -> None:
    loss, _, _ = loss_of([response(1.0, temperature=2.0)], 0.5, {None: 0.6})
    at_two = exp(log(0.6) / 2) / (exp(log(0.6) / 2) + exp(log(0.4) / 2))
    assert loss == pytest.approx(-0.5 / at_two)


def test_a_cut_response_has_no_end(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    lengths = []
    for is_cut in (False, True):
        answer = ScoredResponse(conversation(1), "Decision: accept", 1.0, is_cut=is_cut)
        path = tmp_path / "data"
        path.write_bytes(policy_gradient_dataset([answer]).content)
        example = response_example(tokenizer, read_lines(path)[0])
        assert (example.tokens[-1] == tokenizer.eos_token_id) is not is_cut
        lengths.append(len(example.tokens) - example.start)
    assert lengths[0] == lengths[1] + 1


def metrics_of(job: JobFolder) -> list[dict[str, float]]:
    assert job.status.status == "succeeded", job.status
    return [event["data"] for event in job.events() if event["type"] == "metrics"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize("adaptation", ["full", "lora"])
def test_the_reference_is_the_base_model_in_later_jobs_too(
    base: Path, tmp_path: Path, adaptation: str
) -> None:
    data = write_responses(tmp_path / "data")
    common = {"adaptation": adaptation, "n_epochs": 1, "learning_rate": 0.002}
    first = make_job(tmp_path / "first", base, data, **common, **policy_gradient(base))
    run_job(first)
    adapted = {"adapted_model": str(base)} if adaptation == "lora" else {}
    later = make_job(
        tmp_path / "later", first.model, data, **common, **adapted, **policy_gradient(base)
    )
    run_job(later)
    # Before its first update a model has the probabilities of the one that has sampled, and the
    # first one also those of the reference.
    assert metrics_of(first)[0]["train_loss"] == pytest.approx(0.0, abs=0.2)
    assert metrics_of(first)[0]["kl"] == pytest.approx(0.0, abs=1e-5)
    assert metrics_of(later)[0]["kl"] > 1e-4
    assert metrics_of(later)[0]["clipped_share"] == 0.0


def answers(folder: Path, number: int, seed: int) -> list[str]:
    """Ask a model the same question several times."""
    questions = [
        Question(conversation(0), Sampling(max_tokens=12, seed=seed + each), lambda: True)
        for each in range(number)
    ]
    return [each.text for each in answer_together(load_folder(folder), questions, "model")]


def test_the_optimum_of_a_bandit_is_reached(base: Path, tmp_path: Path) -> None:
    """One decision between two verdicts, of which one pays 1: the policy learns to give it."""
    data = write_examples(tmp_path / "both")
    undecided = make_job(tmp_path / "undecided", base, data, n_epochs=12)
    run_job(undecided)
    model, paid = undecided.model, "Decision: reject"
    share = []
    for iteration in range(5):
        texts = answers(model, 32, 1000 * iteration)
        rewards = [float(text == paid) for text in texts]
        mean = sum(rewards) / len(rewards)
        share.append(mean)
        if len(set(rewards)) == 1:
            break
        prompt: list[ChatMessage] = conversation(0)
        dataset = policy_gradient_dataset(
            ScoredResponse(prompt, text, reward - mean)
            for text, reward in zip(texts, rewards, strict=True)
        )
        path = tmp_path / f"data{iteration}"
        path.write_bytes(dataset.content)
        job = make_job(
            tmp_path / f"job{iteration}",
            model,
            path,
            learning_rate=0.003,
            n_epochs=4,
            **policy_gradient(undecided.model, kl_coefficient=0.0),
        )
        run_job(job)
        assert job.status.status == "succeeded", job.status
        model = job.model
    assert 0.1 < share[0] < 0.9
    assert sum(text == paid for text in answers(model, 64, 10**6)) >= 62
