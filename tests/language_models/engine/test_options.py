import pytest

from nip.errors import ParameterError
from nip.language_models.engine.options import EngineOptions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_concurrency", 0),
        ("initial_concurrency", 0),
        ("timeout_s", 0.0),
        ("num_timeouts", -1),
        ("first_backoff_s", -0.1),
        ("drain_s", -1.0),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ParameterError, match=f"{name} must be .* got {value}"):
        EngineOptions(**{name: value})  # type: ignore[arg-type]


def test_retries_can_be_switched_off() -> None:
    assert EngineOptions(num_timeouts=0, first_backoff_s=0.0).num_timeouts == 0
