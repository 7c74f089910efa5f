"""The summary of an engine adds up its counts."""

from nip.language_models.chat import TokenUsage
from nip.language_models.engine.stats import EngineStats


def test_the_summary_adds_up_retries_of_all_errors_and_tokens_of_both_kinds() -> None:
    stats = EngineStats(
        num_answers=90,
        num_under_way=4,
        num_retries={"RateLimitError": 2, "ModelTimeoutError": 5},
        num_failures={"QuotaError": 100},
        usage=TokenUsage(prompt_tokens=300, completion_tokens=40),
        cost=1.25,
    )
    assert stats.summary() == {"under way": 4, "retries": 7, "tokens": 340, "dollars": 1.25}


def test_an_engine_that_did_nothing_shows_zeros() -> None:
    shown = EngineStats().summary()
    assert shown == {"under way": 0, "retries": 0, "tokens": 0, "dollars": 0.0}
