import json
from dataclasses import replace

import pytest

from nip.language_models.chat import Completion, ModelSpec, TokenUsage


def test_token_usages_add_up() -> None:
    total = TokenUsage(3, 4) + TokenUsage(10, 20)
    assert total == TokenUsage(13, 24)
    assert total.total_tokens == 37


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec("openai", "gpt-4o-mini"),
        ModelSpec("openai", "llama", "http://localhost:8000/v1", "LOCAL_KEY"),
    ],
)
def test_a_model_spec_survives_json(spec: ModelSpec) -> None:
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_model_specs_are_sorted_also_where_parts_are_missing() -> None:
    first = ModelSpec("local", "b")
    second = ModelSpec("openai", "a")
    third = ModelSpec("openai", "a", "http://localhost")
    assert sorted([third, second, first]) == [first, second, third]
    assert len({first, second, third, ModelSpec("local", "b")}) == 3


def test_an_answer_holds_no_half_of_a_surrogate_pair() -> None:
    answer = Completion("so \ud800 \x00 \ud83d\ude00", "stop", TokenUsage(), "model-\udfff")
    assert answer.text == "so � \x00 \U0001f600"
    assert answer.model == "model-�"


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [(0.5, 0.25, 0.75), (None, 0.25, None), (0.5, None, None), (None, None, None)],
)
def test_the_charge_of_an_earlier_request_is_added(first, second, both) -> None:
    earlier = Completion("no", "stop", TokenUsage(1, 2), "a", reported_cost=first)
    later = Completion("yes", "stop", TokenUsage(10, 20), "b", reported_cost=second)
    added = later.with_charge_of(earlier)
    assert (added.text, added.usage, added.model) == ("yes", TokenUsage(11, 22), "b")
    assert (added.reported_cost, added.is_usage_known) == (both, True)
    unknown = replace(earlier, is_usage_known=False)
    assert not later.with_charge_of(unknown).is_usage_known
