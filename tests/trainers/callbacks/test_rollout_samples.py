"""Rollouts in files for people."""

import pytest
import yaml

from nip.errors import NipWarning, ParameterError
from nip.run import run_experiment
from nip.run_store import Run
from nip.trainers.callbacks.rollout_samples import RolloutSamples
from tests.experiments import make_params, make_settings
from tests.trainers.callbacks.scripted_training import ScriptedTraining


def test_a_few_whole_episodes_are_written_now_and_then(tmp_path):
    params = make_params(
        protocol="nip",
        rl={"num_iterations": 4},
        callbacks=[{"name": "rollout_samples", "every": 2, "num_rollouts": 3}],
    )
    folder = run_experiment(params, run_id="demo", settings=make_settings(tmp_path)).folder
    paths = sorted((folder / "rollouts").iterdir())
    assert [path.name for path in paths] == ["iteration_000002.yaml", "iteration_000004.yaml"]
    samples = [yaml.safe_load(path.read_text()) for path in paths]
    asked = [[episode["datapoint_id"] for episode in sample] for sample in samples]
    assert asked[0] == asked[1]
    assert len(asked[0]) == 3
    for episode in samples[0] + samples[1]:
        assert episode["label"] in (0, 1)
        assert episode["verdict"] in ("accept", "reject", "none")
        assert set(episode["rewards"]) == {"prover", "verifier"}
        assert episode["rounds"][0]["messages"] or episode["rounds"][0]["decisions"]


def test_a_file_in_place_of_their_folder_is_named(tmp_path):
    samples = {"name": "rollout_samples", "every": 2, "num_rollouts": 1}
    params = make_params(rl={"num_iterations": 2}, callbacks=[samples])
    settings = make_settings(tmp_path)
    Run.create(settings, "demo", params.to_dict()).close()
    (tmp_path / "demo" / "rollouts").touch()
    with pytest.warns(NipWarning, match=r"demo/rollouts is no folder\. Move it away"):
        run_experiment(params, run_id="demo", settings=settings)


def test_language_models_have_transcripts_instead(tmp_path):
    with pytest.raises(ParameterError, match=r"text_rl\.save_transcripts=True"):
        ScriptedTraining(RolloutSamples(), tmp_path, data="text")


def test_agents_that_answer_alone_play_none(tmp_path):
    samples = {"name": "rollout_samples", "every": 1}
    params = make_params(trainer="solo_agent", callbacks=[samples])
    with pytest.raises(ParameterError, match="trainer='solo_agent' each answers alone"):
        run_experiment(params, run_id="demo", settings=make_settings(tmp_path))
