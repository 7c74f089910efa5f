import pytest

from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.estimate import CallPlan, estimate


def test_tokens_and_costs_follow_from_words() -> None:
    mini = ModelSpec("openai", "gpt-4o-mini")
    found = estimate(
        [
            CallPlan("prover", mini, num_calls=1000, prompt_words=600, answer_words=150),
            CallPlan("verifier", mini, num_calls=500, prompt_words=300, answer_words=75),
        ]
    )
    # Four tokens for three words: 800 and 200 tokens a call, 400 and 100 a call.
    assert found.parts[0].usage == TokenUsage(800_000, 200_000)
    assert found.usage == TokenUsage(1_000_000, 250_000)
    assert found.num_calls == 1500
    # 0.15 and 0.60 dollars per million.
    assert found.cost == pytest.approx(0.15 + 0.15)


def test_models_without_price_are_named() -> None:
    unknown = ModelSpec("openai", "of-mine")
    found = estimate([CallPlan("prover", unknown, 10, 300, 150)])
    assert found.parts[0].cost is None
    assert found.cost == 0.0
    assert found.models_without_price == [unknown]
    assert estimate([]).usage == TokenUsage()
