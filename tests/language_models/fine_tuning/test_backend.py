"""A job request sends only the hyper-parameters that were chosen."""

import pytest

from nip.language_models.fine_tuning.backend import JobRequest


def request(**hyper_parameters: float) -> JobRequest:
    return JobRequest(
        key="k",
        base_model="m",
        training_file_id="file-1",
        method="dpo",
        suffix="s",
        seed=3,
        **hyper_parameters,
    )


def test_what_the_service_chooses_is_left_out() -> None:
    assert request().hyper_params == {}
    assert request(n_epochs=2, learning_rate_multiplier=0.5).hyper_params == {
        "n_epochs": 2,
        "learning_rate_multiplier": 0.5,
    }


@pytest.mark.parametrize("name", ["n_epochs", "batch_size", "learning_rate_multiplier", "beta"])
def test_a_chosen_zero_is_not_taken_for_no_choice(name: str) -> None:
    assert request(**{name: 0}).hyper_params == {name: 0}
