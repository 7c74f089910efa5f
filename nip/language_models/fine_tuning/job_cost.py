"""Cost of fine-tuning jobs: bounds before they are created, and the bill afterwards."""

import json
from collections.abc import Iterator
from typing import Any

from nip.language_models.chat import ModelSpec
from nip.language_models.costs.prices import Price, Prices
from nip.language_models.costs.worst_case import TOKENS_PER_MESSAGE

USUAL_EPOCHS = 3
"""Passes over the examples that OpenAI chooses for datasets of usual size."""

_MIN_EXAMPLES_SEEN = 100
_MAX_EPOCHS = 25
# Factor on the largest ratio of tokens to bytes that was observed on the same kind of text.
_MARGIN = 1.25


def expected_epochs(num_examples: int, n_epochs: int | None) -> int:
    """Return the passes over the examples; None: as OpenAI chooses them.

    OpenAI's documented rule is three passes, and more for datasets with fewer than 34 examples.
    """
    if n_epochs is not None:
        return n_epochs
    for_few = _MIN_EXAMPLES_SEEN // max(num_examples, 1)
    return max(USUAL_EPOCHS, min(_MAX_EPOCHS, for_few))


def most_epochs(num_examples: int, n_epochs: int | None) -> float:
    """Return the passes over at most ``num_examples``, as a bound of the examples that are seen.

    With fewer examples the service may choose more passes, but sees no more than 100 examples.
    """
    if n_epochs is not None:
        return float(n_epochs)
    return max(float(USUAL_EPOCHS), _MIN_EXAMPLES_SEEN / max(num_examples, 1))


def most_trained_tokens(
    content: bytes, num_examples: int, n_epochs: int | None, tokens_per_byte: float = 0.0
) -> int:
    """Return a bound of the tokens that a job on a dataset is charged for.

    Parameters
    ----------
    content : bytes
        The dataset in JSON lines.
    num_examples : int
        Number of lines.
    n_epochs : int | None
        Passes over the examples; None: the service chooses.
    tokens_per_byte : float
        Largest ratio that was observed on similar texts; 0: unknown, so that a byte is a token.
    """
    texts = [text for line in content.splitlines() if line.strip() for text in _texts(line)]
    ratio = min(1.0, _MARGIN * tokens_per_byte) if tokens_per_byte else 1.0
    num_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    one_pass = num_bytes * ratio + TOKENS_PER_MESSAGE * len(texts)
    return int(one_pass + 1) * expected_epochs(num_examples, n_epochs)


def price_of_job(
    prices: Prices,
    backend: str,
    base_model: str,
    *,
    is_free: bool,
    base_url: str | tuple[str, ...] | None = None,
) -> Price | None:
    """Return the price of a model at a fine-tuning backend; None if it is unknown.

    Jobs of a free backend, such as the mock API, cost something only at a user-defined price.
    """
    # The public prices are those of the backend "openai", which has the name of its provider.
    provider = "rehearsal" if is_free else backend
    price = prices.get(ModelSpec(provider, base_model, base_url))
    if price is not None and price.training is None and is_free:
        return Price(price.prompt, price.completion, training=0.0)
    return price


def _texts(line: bytes) -> Iterator[str]:
    yield from _contents(json.loads(line))


def _contents(tree: Any) -> Iterator[str]:
    """Yield the contents of all messages in an example."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == "content" and isinstance(value, str):
                yield value
            else:
                yield from _contents(value)
    elif isinstance(tree, list):
        for each in tree:
            yield from _contents(each)
