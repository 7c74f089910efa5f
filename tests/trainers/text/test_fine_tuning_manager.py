"""From stored dialogues to jobs: what is trained on what, and what is read along the way."""

import asyncio
import json
from collections.abc import Mapping

import numpy as np
import pytest

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.run_store import Run
from nip.trainers.text.data_order import requests_of_stage
from nip.trainers.text.fine_tuning_manager import FineTuningManager
from nip.trainers.text.model_connection import close_connection, open_connection
from nip.trainers.text.stored_rollouts import StoredRollouts
from nip.utils.nested_array_dict import concatenate
from tests.text_experiments import make_text_params, run_text_experiment, text_settings

CHANGES: Mapping = {
    "rl": {"num_iterations": 2, "rollouts_per_iteration": 20},
    "text_rl": {"test_scheme": "all", "save_transcripts": False},
}


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """Return a folder with a finished run of two iterations of twenty rollouts."""
    folder = tmp_path_factory.mktemp("runs")
    run_text_experiment(folder, "run", **CHANGES)
    return folder


@pytest.fixture
def params():
    return make_text_params(**CHANGES)


@pytest.fixture
def instance(params):
    return build_scenario_instance(params, ExperimentSettings(progress=False))


@pytest.fixture
def run(runs_dir, params):
    with Run.open(text_settings(runs_dir), "run", params.to_dict()) as run:
        yield run


@pytest.fixture
def stored(run, params, instance):
    return StoredRollouts(instance, params, run)


@pytest.fixture
def both(stored):
    """Return the rollouts of both iterations."""
    return concatenate([stored.load("train", iteration) for iteration in range(2)])


def make_desk(params, run, instance, stored, folder=None, **settings):
    context = open_connection(params, ExperimentSettings(), instance, folder or run.folder)
    groups = instance.shared_model_groups
    desk = FineTuningManager(params, ExperimentSettings(**settings), run, context, groups, stored)
    for group in groups.values():
        group.service = desk
    return desk, context


def test_rollouts_are_read_back_as_they_were_asked_for(stored, params):
    for phase, iteration in (("train", 0), ("train", 1), ("test", 1)):
        asked = requests_of_stage(params, phase, iteration, len(stored.dataset(phase)))
        rollouts = stored.load(phase, iteration)
        assert rollouts["position"].tolist() == [each.position for each in asked]
        assert rollouts["datapoint"].tolist() == [each.datapoint for each in asked]
        assert rollouts["copy"].tolist() == [each.copy for each in asked]
        assert set(rollouts["iteration"].tolist()) == {iteration}
        plans = stored.plans(phase, iteration, asked)
        assert rollouts["seed"].tolist() == [plan.seed for plan in plans]
        assert [plan.key_prefix for plan in plans[:2]] == [
            f"{phase}/{iteration}/0",
            f"{phase}/{iteration}/1",
        ]
    # Forty dialogues to learn from, and those of two tests.
    assert stored.count() == 40 + 2 * len(stored.dataset("test"))


def test_every_dialogue_has_a_seed_of_its_own(stored, params, instance, monkeypatch):
    seeds = [
        plan.seed
        for phase in ("train", "test")
        for iteration in range(2)
        for plan in stored.plans(
            phase, iteration, requests_of_stage(params, phase, iteration, 20)[:8]
        )
    ]
    assert len(set(seeds)) == 32
    # Also where the same question stands in both splits.
    monkeypatch.setattr(stored, "dataset", lambda phase: instance.train_dataset)
    first = requests_of_stage(params, "train", 0, 20)[:1]
    train, test = (stored.plans(phase, 0, first)[0] for phase in ("train", "test"))
    assert train.seed != test.seed
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_conversation_ends_with_what_the_agent_said_last(stored, both):
    for index, agent in enumerate(("prover", "verifier")):
        for row in range(len(both)):
            iteration, position = (int(both[name][row]) for name in ("iteration", "position"))
            conversation = stored.conversation(iteration, position, agent)
            spoken = [
                text
                for text, active in zip(
                    both["agents", "text"][row, :, index].tolist(),
                    both["agents", "active"][row, :, index].tolist(),
                    strict=True,
                )
                if active
            ]
            if not spoken:
                assert conversation is None
                continue
            assert [message["role"] for message in conversation][:2] == ["system", "user"]
            assert conversation[-1] == {"role": "assistant", "content": spoken[-1]}


def test_the_verdict_becomes_the_truth_only_where_that_is_asked(stored, both):
    wrong = np.flatnonzero((both["verdict"] != 2) & (both["verdict"] != both["y"]))
    assert len(wrong) > 3
    for row in wrong:
        place = int(both["iteration"][row]), int(both["position"][row])
        truth = ("reject", "accept")[int(both["y"][row])]
        plain = stored.conversation(*place, "verifier")
        mended = stored.conversation(*place, "verifier", verdict_becomes_truth=True)
        assert mended[:-1] == plain[:-1]
        assert mended[-1]["content"].endswith(f"Decision: {truth}")
        assert not plain[-1]["content"].endswith(f"Decision: {truth}")
        same = stored.conversation(*place, "prover", verdict_becomes_truth=True)
        assert same == stored.conversation(*place, "prover")


def test_examples_keep_the_order_of_the_rollouts(stored, both, params, run, instance):
    desk, _ = make_desk(params, run, instance, stored)
    rows = np.array([33, 2, 30, 2, 25, 7])
    found = desk.conversations("verifier", both[rows])
    expected = [
        stored.conversation(int(both["iteration"][row]), int(both["position"][row]), "verifier")
        for row in rows
    ]
    assert found == expected
    assert found[1] == found[3]


def test_an_iteration_is_read_once_however_its_rollouts_are_mixed(
    both, params, run, instance, monkeypatch
):
    reads = []
    original = StoredRollouts._read_training_rollouts

    def note(self, iteration):
        reads.append(iteration)
        return original(self, iteration)

    monkeypatch.setattr(StoredRollouts, "_read_training_rollouts", note)
    fresh = StoredRollouts(instance, params, run)
    desk, _ = make_desk(params, run, instance, fresh)
    desk.conversations("verifier", both[np.arange(40).reshape(2, 20).T.ravel()])
    assert reads == [0, 1]


def order_and_send(desk, context, instance, rollouts):
    async def send():
        for group in instance.shared_model_groups.values():
            group.create_supervised_fine_tune_job(dict.fromkeys(group.agent_names, rollouts))
        await desk.create_pending_jobs()
        models = await desk.wait()
        await close_connection(context)
        return models

    return asyncio.run(send())


def new_run(tmp_path, params):
    return Run.open(text_settings(tmp_path), "new", params.to_dict())


@pytest.mark.parametrize("fine_tuning", [{}, {"n_epochs": 3, "batch_size": 4}])
def test_each_group_gets_the_job_that_the_parameters_ask_for(stored, both, tmp_path, fine_tuning):
    params = make_text_params(**CHANGES, fine_tuning=fine_tuning)
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    with new_run(tmp_path, params) as run:
        desk, context = make_desk(params, run, instance, stored)
        models = order_and_send(desk, context, instance, both)
        jobs = run.jobs.all()
        assert models == {job.model_group: job.model for job in jobs}
        assert sorted(models) == ["prover", "verifier"]
        assert len(set(models.values())) == 2
        for job in jobs:
            assert job.base_model == "gpt-4o-mini-2024-07-18"
            assert job.hyper_params == fine_tuning
            lines = (run.folder / job.dataset_path).read_text().splitlines()
            assert len(lines) == job.num_examples
            assert set(json.loads(lines[0])) == {"messages"}
        again, context = make_desk(params, run, instance, stored)
        assert order_and_send(again, context, instance, both) == models
        assert len(run.jobs.all()) == 2


@pytest.mark.parametrize("from_scratch", [True, False])
def test_the_next_job_starts_from_the_first_model_or_goes_on(stored, both, tmp_path, from_scratch):
    every_agent = {"fine_tune_from_scratch": from_scratch}
    params = make_text_params(**CHANGES, every_agent=every_agent)
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    base = "gpt-4o-mini-2024-07-18"
    with new_run(tmp_path, params) as run:
        bases = []
        for iteration in range(2):
            desk, context = make_desk(params, run, instance, stored)
            desk.iteration = iteration
            models = order_and_send(desk, context, instance, both)
            bases.append(
                {job.model_group: job.base_model for job in run.jobs.of_iteration(iteration)}
            )
            for name, group in instance.shared_model_groups.items():
                group.use_model(models[name])
        assert bases[0] == dict.fromkeys(models, base)
        first = {job.model_group: job.model for job in run.jobs.of_iteration(0)}
        assert bases[1] == (bases[0] if from_scratch else first)
        # No two trainings shuffle their examples alike.
        assert len({job.seed for job in run.jobs.all()}) == 4


def test_agents_of_one_group_make_one_dataset_and_frozen_ones_none(stored, both, tmp_path):
    every_agent = {"shared_model_group": "both"}
    params = make_text_params(**CHANGES, every_agent=every_agent)
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    with new_run(tmp_path, params) as run:
        desk, context = make_desk(params, run, instance, stored)
        models = order_and_send(desk, context, instance, both)
        assert list(models) == ["both"]
        (job,) = run.jobs.all()
        spoken = [desk.conversations(name, both) for name in ("prover", "verifier")]
        assert job.num_examples == len(spoken[0]) + len(spoken[1])
    frozen = make_text_params(**CHANGES, every_agent={"freeze_agent": True})
    instance = build_scenario_instance(frozen, ExperimentSettings(progress=False))
    with Run.open(text_settings(tmp_path), "frozen", frozen.to_dict()) as run:
        desk, context = make_desk(frozen, run, instance, stored)
        assert order_and_send(desk, context, instance, both) == {}
        assert run.jobs.all() == []
