"""Settings are checked like parameters."""

from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings


def test_defaults_are_those_of_the_documentation():
    assert ExperimentSettings().to_dict() == {
        "device": "cpu",
        "runs_dir": "runs",
        "data_dir": "data",
        "num_threads": 1,
        "native_kernels": "auto",
        "agent_rows": "auto",
        "compile": "off",
        "checkpoint_period": None,
        "max_checkpoints": 2,
        "permanent_every": None,
        "progress": True,
        "ignore_cache": False,
        "max_concurrency": 100,
        "api_timeout_s": 600.0,
        "num_api_generation_timeouts": 100,
        "num_api_connection_errors": 10,
        "max_cost": None,
        "shared_budget": None,
        "max_failed_share": 0.2,
        "max_invalid_share": 0.2,
        "max_wait_minutes": 60.0,
        "prices": None,
        "response_cache": None,
        "poll_seconds": 10.0,
    }


def test_they_come_back_from_plain_data():
    settings = ExperimentSettings(device="cuda:1", num_threads=4, checkpoint_period=10)
    assert ExperimentSettings.from_dict(settings.to_dict()) == settings


def test_folders_may_be_given_as_paths():
    assert ExperimentSettings(runs_dir=Path("a") / "b").runs_dir == str(Path("a/b"))


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices_that_pytorch_knows_are_taken(device):
    assert ExperimentSettings(device=device).device == device


@pytest.mark.parametrize(
    ("device", "suggestion"),
    [
        ("gpu", "Did you mean 'cuda'?"),
        ("GPU:1", "Did you mean 'cuda'?"),
        ("cuda:", "Did you mean 'cuda:0'?"),
        ("cud", "Did you mean 'cuda'?"),
        ("CPU", "Did you mean 'cpu'?"),
        ("", "The default is 'cpu'."),
    ],
)
def test_other_devices_are_refused_with_a_suggestion(device, suggestion):
    with pytest.raises(ParameterError) as caught:
        ExperimentSettings(device=device)
    assert str(caught.value).startswith("settings.device must be 'cpu', 'cuda' or ")
    assert repr(device) in str(caught.value)
    assert str(caught.value).endswith(suggestion)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("num_threads", 0, "an integer, at least 1"),
        ("num_threads", "two", "an integer, at least 1"),
        ("checkpoint_period", 0, "an integer, at least 1, or None"),
        ("progress", "yes", "True or False"),
        ("runs_dir", 3, "a string"),
        ("data_dir", " ", "name a folder"),
    ],
)
def test_senseless_values_are_refused_by_name_rule_and_value(name, value, rule):
    with pytest.raises(ParameterError, match=rf"settings\.{name} must (be )?{rule}"):
        ExperimentSettings(**{name: value})


def test_an_unknown_setting_is_refused_with_a_suggestion():
    with pytest.raises(
        ParameterError, match=r"settings\.num_thread'.*Did you mean 'settings.num_threads'"
    ):
        ExperimentSettings.from_dict({"num_thread": 2})


def test_all_problems_are_told_at_once():
    with pytest.raises(ParameterError) as caught:
        ExperimentSettings.from_dict({"num_threads": 0, "progress": 2, "device": 1})
    assert len(caught.value.problems) == 3
