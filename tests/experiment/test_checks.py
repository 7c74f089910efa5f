"""What is checked of a whole experiment before anything is built."""

from pathlib import Path

import pytest

from nip.errors import DatasetError, NipWarning, ParameterError
from nip.experiment.checks import check_experiment
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from tests.text_experiments import make_text_params

SETTINGS = ExperimentSettings()


def toy(**changes: object) -> HyperParameters:
    given = {"scenario": "toy", "dataset": "witness", "trainer": "vanilla_ppo", **changes}
    return HyperParameters(**given)  # type: ignore[arg-type]


def test_a_sound_experiment_passes() -> None:
    check_experiment(toy(agents={"prover": {"d_hidden": 3}}), SETTINGS)


def test_an_agent_that_the_protocol_lacks_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"agents\.prover.*'debate'.*prover0, prover1, verifier"
    ):
        check_experiment(
            toy(interaction_protocol="debate", agents={"prover": {"d_hidden": 3}}), SETTINGS
        )


def test_a_batch_must_divide_by_the_rounds_of_the_protocol() -> None:
    rounds = {"max_message_rounds": 7}
    with pytest.raises(ParameterError, match=r"rl\.frames_per_batch=1000 .* 7 .*994 or 1001"):
        check_experiment(toy(nip_protocol=rounds), SETTINGS)
    check_experiment(toy(nip_protocol=rounds, rl={"frames_per_batch": 994}), SETTINGS)
    check_experiment(toy(nip_protocol=rounds, rl={"steps_per_env_per_iteration": 8}), SETTINGS)


def test_a_minibatch_must_fit_into_as_many_rollouts_as_are_asked_for() -> None:
    rl = {"frames_per_batch": None, "rollouts_per_iteration": 4, "minibatch_size": 33}
    with pytest.raises(ParameterError, match=r"rl\.minibatch_size=33 .* 32"):
        check_experiment(toy(rl=rl), SETTINGS)
    check_experiment(toy(rl=rl | {"minibatch_size": 32}), SETTINGS)


def test_a_trainer_without_rollouts_needs_no_batch() -> None:
    rl = {"frames_per_batch": 100}
    graphs = {"scenario": "graph_isomorphism", "dataset": "x", "trainer": "solo_agent"}
    with pytest.warns(NipWarning, match=r"rl\.frames_per_batch=100 has no effect"):
        params = toy(**graphs, rl=rl)
    with pytest.raises(DatasetError):
        check_experiment(params, SETTINGS)


def test_a_dataset_is_looked_for_where_the_settings_say(tmp_path: Path) -> None:
    graphs = toy(scenario="graph_isomorphism", dataset="mine")
    settings = ExperimentSettings(data_dir=str(tmp_path))
    with pytest.raises(DatasetError, match="mine"):
        check_experiment(graphs, settings)
    (tmp_path / "graph_isomorphism" / "mine").mkdir(parents=True)
    check_experiment(graphs, settings)


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process the first of two that torchrun has started."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)


def test_the_processes_must_divide_the_environments(two_processes: None) -> None:
    check_experiment(toy(rl={"frames_per_batch": 992}), SETTINGS)
    with pytest.raises(
        ParameterError, match=r"batch of 5 env.* by 2 proc.*rl\.rollouts_per_iteration to [46],"
    ):
        check_experiment(
            toy(rl={"frames_per_batch": None, "rollouts_per_iteration": 5, "minibatch_size": 2}),
            SETTINGS,
        )


def test_processes_do_not_share_a_gpu(two_processes: None) -> None:
    experiment = toy(rl={"frames_per_batch": 992})
    check_experiment(experiment, ExperimentSettings(device="cuda"))
    with pytest.raises(ParameterError, match=r"cuda:1 puts all 2 .* settings\.device=cuda each"):
        check_experiment(experiment, ExperimentSettings(device="cuda:1"))


def test_language_models_are_not_split_over_processes(two_processes: None) -> None:
    with pytest.raises(ParameterError, match=r"pure_text_ei.* python instead of torchrun"):
        check_experiment(make_text_params("pure_text_ei"), SETTINGS)
