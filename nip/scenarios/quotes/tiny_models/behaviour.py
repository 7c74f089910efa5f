"""Behaviour at fixed random rates, good and bad alike, from which the base models learn to speak.

Nothing here is selected by reward: a prover quotes what is about the claim as often whether or not
it supports the claim, and a verifier does not look at marks.
"""

from collections.abc import Sequence

import numpy as np

from nip.language_models.chat import ChatMessage
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenarios.quotes.passages import NUMBERS, fact
from nip.scenarios.quotes.quotations import find_quotations
from nip.scenarios.quotes.tiny_models.skills import quoted
from nip.scenarios.quotes.tiny_models.tokenizer import (
    DECISIONS,
    EVASION,
    QUESTION,
    UNSURE,
)

PROVER_SHARES = {"relevant": 0.4, "irrelevant": 0.3, "fabricated": 0.15, "evasive": 0.15}
"""Shares of messages that quote the fact that the claim is about, another fact, what is not in the
passage, and nothing."""

RIGHT_SHARE = 0.65
"""Share of right verdicts of a verifier that was shown a quotation about the subject of the claim.
Elsewhere its verdict is a coin toss."""

INVALID_SHARE = 0.1
"""Share of verdicts that are none of the possible ones, which makes the answer invalid."""

EARLY_DECISION_SHARE = 0.2
"""Share of the verifier's messages that decide, where it need not."""


def prover_message(datapoint: TextDatapoint, rng: np.random.Generator) -> str:
    """Return a message of a prover."""
    kinds = list(PROVER_SHARES)
    kind = kinds[rng.choice(len(kinds), p=list(PROVER_SHARES.values()))]
    relevant: str = datapoint.extra["fact"]
    if kind == "evasive":
        return EVASION
    if kind == "fabricated":
        return quoted(_fabricated(datapoint, relevant, rng))
    others = [each for each in datapoint.question.split("\n") if each != relevant]
    if kind == "relevant" or not others:
        return quoted(relevant)
    return quoted(others[rng.integers(len(others))])


def verifier_message(
    datapoint: TextDatapoint,
    messages: Sequence[ChatMessage],
    may_decide: bool,
    is_last: bool,
    rng: np.random.Generator,
) -> str:
    """Return a message of a verifier that has read ``messages``."""
    if not may_decide or not (is_last or rng.random() < EARLY_DECISION_SHARE):
        return QUESTION
    if rng.random() < INVALID_SHARE:
        return UNSURE
    heard = "\n".join(each["content"] for each in messages if each["role"] == "user")
    subject = _subject(datapoint.solution)
    claim = datapoint.solution.strip(".")
    told = [each.text for each in find_quotations(heard, "") if _subject(each.text) == subject]
    accepts = bool(rng.random() < 0.5)
    if told:
        agrees = told[rng.integers(len(told))] == claim
        accepts = agrees if rng.random() < RIGHT_SHARE else not agrees
    return DECISIONS[int(accepts)]


def _fabricated(datapoint: TextDatapoint, relevant: str, rng: np.random.Generator) -> str:
    """Return the claim if it is false, and a false fact about its subject if it is true."""
    if datapoint.y == 0:
        return datapoint.solution
    subject = _subject(relevant)
    wrong = [number for number in NUMBERS if fact(subject, number) != relevant]
    return fact(subject, wrong[rng.integers(len(wrong))])


def _subject(sentence: str) -> str:
    return sentence.split(" ", 1)[0]
