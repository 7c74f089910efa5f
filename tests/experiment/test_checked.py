"""Completing and checking an experiment before anything is built or written."""

from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.experiment.checked import check
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from tests.text_experiments import make_text_params

BASE = {"base_run_type": "parameters", "run_id": "base"}


def toy(**changes: object) -> HyperParameters:
    given = {"scenario": "toy", "dataset": "witness", "trainer": "vanilla_ppo", **changes}
    return HyperParameters(**given)  # type: ignore[arg-type]


def store(runs_dir: Path, params: HyperParameters) -> ExperimentSettings:
    """Store parameters as those of the run ``base``."""
    (runs_dir / "base").mkdir()
    (runs_dir / "base" / "hyper_params.yaml").write_text(params.to_yaml())
    return ExperimentSettings(runs_dir=runs_dir)


def test_an_experiment_with_networks_is_kept_as_it_is_with_its_protocol(
    working_folder: Path,
) -> None:
    params, settings = toy(interaction_protocol="debate"), ExperimentSettings(num_threads=2)
    checked = check(params, settings, "mine", "must")
    assert checked.hyper_params == params
    assert (checked.settings, checked.run_id, checked.resume) == (settings, "mine", "must")
    assert checked.protocol.agent_names == ("prover0", "prover1", "verifier")
    assert checked.text_parts is None
    assert list(working_folder.iterdir()) == []


def test_language_models_come_with_the_parts_that_were_built_to_check_them(
    working_folder: Path,
) -> None:
    checked = check(make_text_params(), ExperimentSettings())
    assert (checked.run_id, checked.resume) == (None, "auto")
    assert checked.text_parts is not None
    assert checked.text_parts.protocol is checked.protocol
    assert list(checked.text_parts.agents) == list(checked.protocol.agent_names)
    assert list(working_folder.iterdir()) == []


def test_the_protocol_is_that_of_the_base_run(tmp_path: Path) -> None:
    settings = store(tmp_path, toy(interaction_protocol="solo_verifier"))
    checked = check(toy(base_run=BASE), settings)
    assert checked.hyper_params.interaction_protocol == "solo_verifier"
    assert checked.protocol.agent_names == ("verifier",)


def test_values_are_checked_together_with_those_of_the_base_run(tmp_path: Path) -> None:
    settings = store(tmp_path, toy(nip_protocol={"max_message_rounds": 7}, rl={"num_epochs": 2}))
    params = toy(base_run=BASE, rl={"frames_per_batch": 100})
    with pytest.raises(ParameterError, match=r"rl\.frames_per_batch=100 .* 7 .*98 or 105"):
        check(params, settings)


def test_a_name_that_is_no_folder_is_refused_before_other_runs_are_read(tmp_path: Path) -> None:
    params, settings = toy(base_run=BASE), ExperimentSettings(runs_dir=tmp_path)
    with pytest.raises(ParameterError, match=r"^run_id must .* got '\.\./mine'"):
        check(params, settings, "../mine")
    with pytest.raises(ParameterError, match="'base'"):
        check(params, settings, "mine")
