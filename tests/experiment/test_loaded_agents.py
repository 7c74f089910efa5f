"""Agents that begin with the weights and the parameters which they have in another run."""

import shutil
import sys
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from nip.errors import CheckpointError, ParameterError
from nip.experiment.loaded_agents import apply_agent_checkpoints
from nip.parameters import RandomAgentParameters, ToyAgentParameters
from nip.run import prepare_experiment, run_experiment
from nip.trainers.callbacks.wandb import checkpoint_artifact_name
from nip.trainers.tensor.weights.initial_weights import load_agent_checkpoints
from tests.experiments import make_instance, make_params, make_settings, same_tensors


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of a run of two iterations, whose agents have a hidden layer of five."""
    runs_dir = tmp_path_factory.mktemp("runs")
    params = make_params(
        protocol="nip", seed=11, agents={"_default": ToyAgentParameters(d_hidden=5)}
    )
    run_experiment(params, run_id="teacher", settings=make_settings(runs_dir))
    return runs_dir


def loaded(agent="verifier", run_id="teacher", protocol="nip", **options):
    options = {"load_checkpoint_and_parameters": True, "checkpoint_run_id": run_id, **options}
    return make_params(protocol=protocol, agents={agent: options})


def weights(instance, agent):
    return {
        name: value
        for name, value in instance.agents.state_dict().items()
        if name.startswith(f"agents.{agent}.")
    }


def teacher(runs):
    """Build the agents of the run with the weights that it ended with."""
    params = loaded("_default")
    instance = make_instance(apply_agent_checkpoints(params, make_settings(runs)))
    load_agent_checkpoints(instance.agents, make_settings(runs))
    return instance


def test_parameters_come_from_the_other_run_unless_they_are_given(runs):
    params = loaded("prover", agent_lr_factor={"actor": 0.0, "critic": 0.0})
    merged = apply_agent_checkpoints(params, make_settings(runs))
    assert merged.agents["prover"].d_hidden == 5
    assert merged.agents["prover"].agent_lr_factor.actor == 0.0
    assert merged.agents["prover"].checkpoint_run_id == "teacher"
    assert merged.agents["verifier"].d_hidden == ToyAgentParameters().d_hidden
    assert merged.seed == params.seed
    assert apply_agent_checkpoints(merged, make_settings(runs)).to_dict() == merged.to_dict()


def test_the_default_entry_stands_for_all_agents(runs):
    merged = apply_agent_checkpoints(loaded("_default"), make_settings(runs))
    assert merged.agents["prover"].d_hidden == merged.agents["verifier"].d_hidden == 5


def test_without_such_agents_nothing_happens():
    params = make_params()
    assert apply_agent_checkpoints(params, make_settings("nowhere")) is params


def test_weights_come_from_the_chosen_checkpoint_and_others_keep_theirs(runs):
    expected = teacher(runs)
    settings = make_settings(runs)
    merged = apply_agent_checkpoints(loaded("verifier"), settings)
    instance = make_instance(merged)
    fresh = make_instance(merged)
    load_agent_checkpoints(instance.agents, settings)
    assert same_tensors(weights(instance, "verifier"), weights(expected, "verifier"))
    assert not same_tensors(weights(instance, "verifier"), weights(fresh, "verifier"))
    assert same_tensors(weights(instance, "prover"), weights(fresh, "prover"))
    first = make_instance(apply_agent_checkpoints(loaded(checkpoint_version="1"), settings))
    load_agent_checkpoints(first.agents, settings)
    assert not same_tensors(weights(first, "verifier"), weights(expected, "verifier"))


def test_a_run_can_go_on_when_the_other_run_is_gone(runs, tmp_path):
    shutil.copytree(runs / "teacher", tmp_path / "teacher")
    settings = make_settings(tmp_path)
    result = run_experiment(loaded(), run_id="pupil", settings=settings)
    stored = yaml.safe_load((result.folder / "hyper_params.yaml").read_text())
    assert stored["agents"]["verifier"]["d_hidden"] == 5
    shutil.rmtree(tmp_path / "teacher")
    again = run_experiment(loaded(), run_id="pupil", resume="must", settings=settings)
    assert again.metrics == result.metrics
    with pytest.raises(ParameterError, match="'teacher'"):
        run_experiment(loaded(), run_id="another", settings=settings)


def test_preparing_finds_out_what_is_wrong(runs):
    assert prepare_experiment(loaded(), settings=make_settings(runs)).num_iterations > 0
    with pytest.raises(ParameterError, match=r"'techer'.*Did you mean 'teacher'"):
        prepare_experiment(loaded(run_id="techer"), settings=make_settings(runs))


def test_the_other_run_must_be_named():
    with pytest.raises(
        ParameterError, match=r"agents\.verifier\.checkpoint_run_id must name a run"
    ):
        loaded(run_id=None)


def test_pretraining_would_undo_the_loading():
    options = {"load_checkpoint_and_parameters": True, "checkpoint_run_id": "teacher"}
    with pytest.raises(ParameterError, match=r"agents\.prover\..*undone by pretrain_agents=True"):
        make_params(agents={"prover": options}, pretrain_agents=True)


def test_what_does_not_fit_is_refused(runs, data_dir):
    settings = make_settings(runs)
    for params, complaint in (
        (loaded(run_id="x"), r"got 'x'.*Runs in .*: teacher\..*checkpoint_project"),
        (loaded("prover0", protocol="debate"), r"no agent 'prover0'; it has prover, verifier"),
        (
            make_params(
                "graph_isomorphism",
                protocol="nip",
                agents={
                    "verifier": {
                        "load_checkpoint_and_parameters": True,
                        "checkpoint_run_id": "teacher",
                    }
                },
            ),
            r"scenario='toy'.*scenario='graph_isomorphism'",
        ),
        (
            make_params(
                protocol="nip",
                agents={
                    "prover": RandomAgentParameters(
                        load_checkpoint_and_parameters=True, checkpoint_run_id="teacher"
                    )
                },
            ),
            r"agents\.prover is random in this run",
        ),
    ):
        with pytest.raises(ParameterError, match=complaint):
            apply_agent_checkpoints(params, settings)


def test_a_checkpoint_that_is_not_there_or_does_not_fit_is_refused(runs):
    settings = make_settings(runs)
    for version in (7, "7"):
        with pytest.raises(CheckpointError, match=r"no checkpoint '?7'?.*There are latest, 1, 2"):
            apply_agent_checkpoints(loaded(checkpoint_version=version), settings)
    wider = make_instance(apply_agent_checkpoints(loaded(d_hidden=6), settings))
    with pytest.raises(ParameterError, match=r"verifier\.body, tensor .*: \(5, \d+\) → \(6, \d+\)"):
        load_agent_checkpoints(wider.agents, settings)


class FakeService:
    """Stands for Weights & Biases, with one run that has sent its checkpoint."""

    def __init__(self, folder):
        self.folder = folder
        self.asked = []
        self.is_logged_in = True

    def login(self, prompt):
        assert not prompt
        return self.is_logged_in

    def artifact(self, name, **options):
        self.asked.append((name, options["type"]))
        if f"{checkpoint_artifact_name('teacher')}:" not in name:
            raise FakeError("artifact not found")
        return SimpleNamespace(version="v3", download=self._download)

    def _download(self, root):
        checkpoint = self.folder / "checkpoints" / "iteration_000002"
        shutil.copytree(checkpoint, root, dirs_exist_ok=True)
        shutil.copy(self.folder / "hyper_params.yaml", root)


class FakeError(Exception):
    """An error of the service."""


@pytest.fixture
def service(runs, monkeypatch):
    service = FakeService(runs / "teacher")
    module = ModuleType("wandb")
    module.Api = lambda: service
    module.login = service.login
    module.errors = SimpleNamespace(Error=FakeError, AuthenticationError=FakeError)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    return service


def test_a_checkpoint_can_come_from_weights_and_biases(runs, service, tmp_path, monkeypatch):
    settings = make_settings(tmp_path)
    params = loaded(checkpoint_project="games", checkpoint_entity="us", checkpoint_version="2")
    merged = apply_agent_checkpoints(params, settings)
    assert merged.agents["verifier"].d_hidden == 5
    instance = make_instance(merged)
    load_agent_checkpoints(instance.agents, settings)
    assert same_tensors(weights(instance, "verifier"), weights(teacher(runs), "verifier"))
    assert set(service.asked) == {("us/games/teacher-checkpoint:iteration_000002", "model")}
    assert (tmp_path / ".cache" / "wandb" / "us" / "games" / "teacher-checkpoint-v3").is_dir()
    monkeypatch.setenv("WANDB_ENTITY", "them")
    apply_agent_checkpoints(loaded(checkpoint_project="games"), settings)
    assert service.asked[-1] == ("them/games/teacher-checkpoint:latest", "model")
    monkeypatch.delenv("WANDB_ENTITY")
    apply_agent_checkpoints(loaded(checkpoint_project="games", checkpoint_version="best"), settings)
    assert service.asked[-1] == ("games/teacher-checkpoint:best", "model")


def test_what_weights_and_biases_has_not_is_refused(service, tmp_path):
    params = loaded(run_id="nobody", checkpoint_project="games")
    with pytest.raises(
        ParameterError,
        match=r"games/nobody-checkpoint:latest could not be fetched.*not found.*log_checkpoints",
    ):
        apply_agent_checkpoints(params, make_settings(tmp_path))
    service.is_logged_in = False
    with pytest.raises(ParameterError, match=r"you are not logged in.*wandb login"):
        apply_agent_checkpoints(loaded(checkpoint_project="games"), make_settings(tmp_path))


def test_without_the_package_of_weights_and_biases_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ParameterError, match=r"pip install 'nip\[wandb\]'.*checkpoint_project"):
        apply_agent_checkpoints(loaded(checkpoint_project="games"), make_settings(tmp_path))
