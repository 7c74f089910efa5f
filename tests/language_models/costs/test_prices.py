import pytest

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec, TokenUsage
from nip.language_models.costs.prices import PUBLIC_PRICES, Price, Prices
from nip.language_models.fine_tuning.job_cost import price_of_job


def test_a_price_is_per_million_tokens() -> None:
    price = Price(0.15, 0.60, training=3.0)
    assert price.of(TokenUsage(1_000_000, 0)) == pytest.approx(0.15)
    assert price.of(TokenUsage(2000, 500)) == pytest.approx(0.0006)
    assert price.of_training(500_000) == pytest.approx(1.5)
    assert Price(1.0, 1.0).of_training(1) is None


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
        ("ft:gpt-4o-mini-2024-07-18:an-org:a-suffix:abc123", "ft:gpt-4o-mini"),
    ],
)
def test_names_are_found_with_date_and_fine_tuning(name: str, entry: str) -> None:
    assert Prices().get(ModelSpec("openai", name)) == PUBLIC_PRICES[entry]


def test_user_defined_prices_take_precedence() -> None:
    own = Price(7.0, 8.0)
    assert Prices({"gpt-4o-mini": own}).get(ModelSpec("openai", "gpt-4o-mini-2024-07-18")) == own


def test_local_models_are_free_and_other_unlisted_models_have_no_price() -> None:
    assert Prices().get(ModelSpec("local", "models/mine")) == Price(0.0, 0.0)
    assert Prices().get(ModelSpec("openai", "gpt-4o-mini-of-mine")) is None


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"prompt must be at least 0, got nan"):
        Price(float("nan"), 1.0)
    with pytest.raises(ParameterError, match=r"completion must be at least 0, got -1"):
        Price(1.0, -1.0)


def test_a_provider_of_ones_own_is_not_charged_the_prices_of_another() -> None:
    assert Prices().get(ModelSpec("my_provider", "gpt-4o-mini")) is None
    own = Prices({"gpt-4o-mini": Price(1.0, 2.0)})
    assert own.get(ModelSpec("my_provider", "gpt-4o-mini")) == Price(1.0, 2.0)
    assert Prices().get(ModelSpec("OpenAI", "gpt-4o-mini")) == PUBLIC_PRICES["gpt-4o-mini"]


@pytest.mark.parametrize(
    ("base_url", "is_public"),
    [
        (None, True),
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://mine.openai.azure.com/openai/v1", True),
        ("http://localhost:8000/v1", False),
        ("https://api.openai.com.example.org/v1", False),
        ("http://[", False),
    ],
)
def test_a_server_of_ones_own_is_not_charged_the_prices_of_openai(
    base_url: str | None, is_public: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    model = ModelSpec("openai", "gpt-4o-mini", base_url)
    public, own = PUBLIC_PRICES["gpt-4o-mini"], Price(0.0, 0.0)
    assert Prices().get(model) == (public if is_public else None)
    assert price_of_job(Prices(), "openai", "gpt-4o-mini", is_free=False, base_url=base_url) == (
        public if is_public else None
    )
    assert Prices({"gpt-4o-mini": own}).get(model) == own
    if base_url is not None:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        assert Prices().get(ModelSpec("openai", "gpt-4o-mini")) == (public if is_public else None)


@pytest.mark.parametrize(
    ("name", "base", "expected"),
    [
        # Whatever the service calls the model, it costs what a model trained from its base costs.
        ("accounts/me/models/verifier-2", "m", 30.0),
        ("m-ft-2024-01-01", "m", 30.0),
        ("own-name", "m-2024-07-18", 30.0),
        # A price of its own has priority; without one for fine-tuned models, the base decides.
        ("listed", "m", 40.0),
        ("accounts/me/models/verifier-2", "other", 20.0),
        ("accounts/me/models/verifier-2", None, None),
    ],
)
def test_the_price_of_a_fine_tuned_model_does_not_depend_on_its_name(
    name: str, base: str | None, expected: float | None
) -> None:
    prices = Prices(
        {
            "m": Price(10.0, 10.0),
            "ft:m": Price(30.0, 30.0),
            "other": Price(20.0, 20.0),
            "listed": Price(40.0, 40.0),
        }
    )
    found = prices.get(ModelSpec("mine", name, fine_tuned_from=base))
    assert (None if found is None else found.prompt) == expected
