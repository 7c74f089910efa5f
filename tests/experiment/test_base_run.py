"""What a run takes from its base run, and what it may not change."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nip.errors import ParameterError
from nip.experiment.base_run import apply_base_run
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run import run_experiment
from nip.run_store import Run
from nip.trainers.text.state import STATE_KEY, TextTrainerState
from tests.text_experiments import make_text_params, text_settings


def store(folder: Path, run_id: str, params: HyperParameters) -> None:
    (folder / run_id).mkdir()
    (folder / run_id / "hyper_params.yaml").write_text(params.to_yaml())


def toy(**changes) -> HyperParameters:
    groups = {"scenario": "toy", "trainer": "vanilla_ppo", "dataset": "witness", **changes}
    return HyperParameters(**groups)


def from_base(**changes) -> HyperParameters:
    base_run = {"base_run_type": "parameters", "run_id": "base"}
    return toy(base_run=base_run, **changes)


def test_what_is_left_at_its_default_comes_from_the_base_run(tmp_path: Path) -> None:
    base = toy(interaction_protocol="adp", seed=5, rl={"lr": 0.1, "gamma": 0.5})
    store(tmp_path, "base", base)
    merged = apply_base_run(from_base(rl={"gamma": 0.7}), ExperimentSettings(runs_dir=tmp_path))
    assert (merged.interaction_protocol, merged.seed) == ("adp", 5)
    assert (merged.rl.lr, merged.rl.gamma) == (0.1, 0.7)
    assert merged.base_run.run_id == "base"


def test_without_a_base_run_nothing_is_read() -> None:
    params = toy()
    assert apply_base_run(params, ExperimentSettings(runs_dir="nowhere")) is params


def test_agents_are_compared_one_by_one(tmp_path: Path) -> None:
    base = toy(agents={"_default": {"d_hidden": 8}, "prover": {"d_hidden": 5}})
    store(tmp_path, "base", base)
    settings = ExperimentSettings(runs_dir=tmp_path)
    agents = apply_base_run(from_base(agents={"verifier": {"d_hidden": 6}}), settings).agents
    assert [agents[name].d_hidden for name in ("prover", "verifier", "_default")] == [5, 6, 8]
    agents = apply_base_run(from_base(agents={"_default": {"d_hidden": 7}}), settings).agents
    assert [agents[name].d_hidden for name in ("prover", "verifier")] == [7, 7]


def test_a_random_agent_and_a_schedule_are_taken_whole(tmp_path: Path) -> None:
    schedule = {
        "_type": "ContiguousPeriodicUpdateSchedule",
        "ContiguousPeriodicUpdateSchedule": {"period": 4, "start": 0, "stop": 2},
    }
    base = toy(agents={"prover": {"is_random": True}, "verifier": {"update_schedule": schedule}})
    store(tmp_path, "base", base)
    merged = apply_base_run(from_base(), ExperimentSettings(runs_dir=tmp_path))
    assert merged.agents["prover"].is_random
    assert merged.agents["verifier"].update_schedule == base.agents["verifier"].update_schedule
    is_random = {"verifier": {"is_random": True}}
    merged = apply_base_run(from_base(agents=is_random), ExperimentSettings(runs_dir=tmp_path))
    assert merged.agents["verifier"].is_random


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=st.integers(1, 4), new=st.integers(1, 4), stance=st.booleans())
def test_applying_it_twice_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, old: int, new: int, stance: bool
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    base = toy(
        rl={"num_epochs": old},
        agents={"prover": {"is_random": stance}},
        interaction_protocol="adp",
        protocol_common={"shared_reward": stance},
    )
    store(folder, "base", base)
    how = ExperimentSettings(runs_dir=folder)
    once = apply_base_run(from_base(rl={"num_epochs": new}), how)
    assert apply_base_run(once, how) == once
    assert once.rl.num_epochs == (old if new == 4 else new)


def test_a_base_run_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    store(tmp_path, "bass", toy())
    with pytest.raises(ParameterError, match=r"run_id='base': There is no run .* 'bass'"):
        apply_base_run(from_base(), ExperimentSettings(runs_dir=tmp_path))


def test_a_run_of_another_kind_is_refused(tmp_path: Path) -> None:
    store(tmp_path, "base", make_text_params())
    with pytest.raises(ParameterError, match=r"code_validation.*cannot be used for scenario='toy'"):
        apply_base_run(from_base(), ExperimentSettings(runs_dir=tmp_path))


def test_networks_cannot_be_tested_again(tmp_path: Path) -> None:
    store(tmp_path, "base", toy())
    params = toy(base_run={"base_run_type": "rerun_tests", "run_id": "base"})
    with pytest.raises(
        ParameterError, match=r"needs a trainer of language models, got .*'vanilla_ppo'"
    ):
        apply_base_run(params, ExperimentSettings(runs_dir=tmp_path))


def rerun_params(**changes) -> HyperParameters:
    base_run = {"base_run_type": "rerun_tests", "run_id": "base"}
    return make_text_params(base_run=base_run, **changes)


def test_tests_that_are_run_again_keep_the_parameters_of_their_run(tmp_path: Path) -> None:
    store(tmp_path, "base", make_text_params(seed=1))
    given = rerun_params(seed=2, rl={"num_iterations": 7}, every_agent={"temperature": 0.5})
    with pytest.raises(ParameterError) as caught:
        apply_base_run(given, ExperimentSettings(runs_dir=tmp_path))
    named = re.findall(r"^    (\S+): ", str(caught.value), re.M)
    assert named == ["seed", "agents._default.temperature", "rl.num_iterations"]


def test_a_run_at_its_first_iteration_has_nothing_to_test(tmp_path: Path) -> None:
    params = make_text_params()
    with Run.open(text_settings(tmp_path), "base", params.to_dict()) as run:
        with pytest.raises(ParameterError, match="still in its first iteration"):
            apply_base_run(rerun_params(), text_settings(tmp_path))
        state = TextTrainerState(models=({"prover": "m"},), stage="create_fine_tune_jobs")
        run.set_state(STATE_KEY, state.to_dict())
        with pytest.raises(ParameterError, match="still in its first iteration"):
            apply_base_run(rerun_params(), text_settings(tmp_path))
        run.set_state(STATE_KEY, state.after_stage(2, {}).after_stage(2, {}).to_dict())
        assert apply_base_run(rerun_params(), text_settings(tmp_path)).rl.num_iterations == 2
        idle = {"rerun_tests_force_test_during_training_state": False}
        params = rerun_params(text_rl={"test_scheme": "none"}).with_changes(
            {f"base_run.{name}": value for name, value in idle.items()}
        )
        with pytest.raises(ParameterError, match="Nothing would be tested"):
            apply_base_run(params, text_settings(tmp_path))


def test_a_run_with_a_base_run_can_be_resumed(tmp_path: Path) -> None:
    how = {"runs_dir": tmp_path, "progress": False}
    rl = {"num_iterations": 1, "frames_per_batch": 32, "minibatch_size": 16}
    base = toy(rl={**rl, "num_test_iterations": 1, "num_normalization_steps": 16})
    run_experiment(base, run_id="base", **how)
    given = from_base(seed=9)
    first = run_experiment(given, run_id="new", **how)
    stored = HyperParameters.from_yaml(tmp_path / "new" / "hyper_params.yaml")
    assert (stored.seed, stored.rl) == (9, base.rl)
    assert run_experiment(given, run_id="new", resume="must", **how) == first
