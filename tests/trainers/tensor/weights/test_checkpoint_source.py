"""Where the other run is from which an agent takes its weights: here, or at Weights & Biases."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import ToyAgentParameters
from nip.trainers.tensor.weights.checkpoint_source import source_folder


def agent_of(run_id="other", **fields):
    return ToyAgentParameters(
        load_checkpoint_and_parameters=True, checkpoint_run_id=run_id, **fields
    )


class FakeWandb:
    """The few things that are asked of the package wandb, without a network."""

    class Error(Exception):
        pass

    class AuthenticationError(Error):
        pass

    def __init__(self):
        self.errors = SimpleNamespace(
            Error=self.Error, AuthenticationError=self.AuthenticationError
        )
        self.is_logged_in, self.asked, self.failure = True, [], None

    def login(self, prompt):
        assert prompt is False
        return self.is_logged_in

    def Api(self):
        return self

    def artifact(self, name, **options):
        self.asked.append((name, options))
        if self.failure is not None:
            raise self.failure
        return SimpleNamespace(version="v7", download=self.download)

    def download(self, root):
        Path(root).mkdir(parents=True)
        (Path(root) / "hyper_params.yaml").write_text("")


@pytest.fixture
def wandb(monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    return fake


@pytest.fixture
def settings(tmp_path):
    return ExperimentSettings(runs_dir=tmp_path, progress=False)


def test_without_a_project_it_is_a_run_beside_this_one(settings, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "hyper_params.yaml").write_text("")
    assert source_folder("prover", agent_of(), settings) == tmp_path / "other"
    with pytest.raises(ParameterError, match=r"got 'othre'.*'other'.*checkpoint_project too"):
        source_folder("prover", agent_of("othre"), settings)


def test_a_folder_that_is_no_run_is_refused(settings, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(ParameterError, match="There are no runs in"):
        source_folder("prover", agent_of(), settings)


@pytest.mark.parametrize(
    ("version", "alias"), [("best", "best"), ("latest", "latest"), ("12", "iteration_000012")]
)
def test_a_number_means_the_checkpoint_of_that_iteration(wandb, settings, tmp_path, version, alias):
    params = agent_of(checkpoint_project="p", checkpoint_entity="me", checkpoint_version=version)
    folder = source_folder("prover", params, settings)
    assert wandb.asked == [(f"me/p/other-checkpoint:{alias}", {"type": "model"})]
    assert folder == tmp_path / ".cache" / "wandb" / "me" / "p" / "other-checkpoint-v7"
    assert (folder / "hyper_params.yaml").is_file()


@pytest.mark.parametrize(
    ("variable", "own", "place"),
    [(None, None, "p"), ("team", None, "team/p"), ("team", "me", "me/p")],
)
def test_the_owner_is_the_one_given_else_that_of_the_environment(
    wandb, settings, monkeypatch, variable, own, place
):
    if variable is not None:
        monkeypatch.setenv("WANDB_ENTITY", variable)
    source_folder("prover", agent_of(checkpoint_project="p", checkpoint_entity=own), settings)
    assert wandb.asked[0][0].startswith(f"{place}/other-checkpoint:")


@pytest.mark.parametrize(
    "failure", [FakeWandb.Error("no such artifact"), ValueError("bad name"), OSError("no network")]
)
def test_a_failed_download_names_agent_artifact_and_reason(wandb, settings, failure):
    wandb.failure = failure
    params = agent_of(checkpoint_project="p", checkpoint_version="best")
    with pytest.raises(ParameterError) as caught:
        source_folder("prover", params, settings)
    assert str(caught.value).startswith(
        f"agents.prover: p/other-checkpoint:best could not be fetched from Weights & Biases: "
        f"{failure}. Run wandb login"
    )


def test_nobody_is_asked_for_a_key_and_nothing_is_fetched_without_one(wandb, settings):
    wandb.is_logged_in = False
    with pytest.raises(ParameterError, match="you are not logged in"):
        source_folder("prover", agent_of(checkpoint_project="p"), settings)
    assert wandb.asked == []


def test_a_missing_package_is_named_with_the_two_ways_out(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    message = r"agents\.prover\.checkpoint_project needs .*'nip\[wandb\]'.*checkpoint_project=None"
    with pytest.raises(ParameterError, match=message):
        source_folder("prover", agent_of(checkpoint_project="p"), settings)
