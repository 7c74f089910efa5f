"""Training conversations become datasets, and datasets become jobs."""

import asyncio
import json

import numpy as np
import pytest

from nip.errors import NipWarning
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.language_models.costs.price_file import read_prices
from nip.language_models.costs.shared_budget import (
    BudgetShare,
    SharedBudget,
    set_shared_budget,
)
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.parameters.tree.yaml_text import dump
from nip.run_store import Run
from nip.trainers.text.fine_tuning_manager import FineTuningManager
from nip.trainers.text.model_connection import close_connection, open_connection
from nip.trainers.text.stored_rollouts import StoredRollouts
from tests.text_experiments import make_text_params, text_settings
from tests.trainers.text.conftest import CHANGES


def make_manager(params, run, instance, stored, folder=None, usage_tracker=None, **settings):
    context = open_connection(params, ExperimentSettings(), instance, folder or run.folder)
    groups = instance.shared_model_groups
    manager = FineTuningManager(
        params,
        ExperimentSettings(**settings),
        run,
        context,
        groups,
        stored,
        usage_tracker=usage_tracker,
    )
    for group in groups.values():
        group.service = manager
    return manager, context


def test_examples_keep_the_order_of_the_rollouts(stored, both, params, run, instance):
    manager, _ = make_manager(params, run, instance, stored)
    rows = np.array([33, 2, 30, 2, 25, 7])
    found = manager.conversations("verifier", both[rows])
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
    manager, _ = make_manager(params, run, instance, fresh)
    manager.conversations("verifier", both[np.arange(40).reshape(2, 20).T.ravel()])
    assert reads == [0, 1]


def create_and_wait(manager, context, instance, rollouts):
    async def work():
        for group in instance.shared_model_groups.values():
            group.create_supervised_fine_tune_job(dict.fromkeys(group.agent_names, rollouts))
        await manager.create_pending_jobs()
        models = await manager.wait()
        await close_connection(context)
        return models

    return asyncio.run(work())


def new_run(tmp_path, params):
    return Run.open(text_settings(tmp_path), "new", params.to_dict())


@pytest.mark.parametrize("fine_tuning", [{}, {"n_epochs": 3, "batch_size": 4}])
def test_each_group_gets_the_configured_job(stored, both, tmp_path, fine_tuning):
    params = make_text_params(**CHANGES, fine_tuning=fine_tuning)
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    with new_run(tmp_path, params) as run:
        manager, context = make_manager(params, run, instance, stored)
        models = create_and_wait(manager, context, instance, both)
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
        again, context = make_manager(params, run, instance, stored)
        assert create_and_wait(again, context, instance, both) == models
        assert len(run.jobs.all()) == 2


@pytest.mark.parametrize(("given", "expected"), [(None, [1.0, 0.5]), (0.3, [0.3, 0.15])])
def test_learning_rates_decrease_over_the_iterations_on_request(
    stored, both, tmp_path, given, expected
):
    fine_tuning = {"learning_rate_decay": 0.5, "learning_rate_multiplier": given}
    params = make_text_params(**CHANGES, fine_tuning=fine_tuning)
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    with new_run(tmp_path, params) as run:
        for iteration in range(2):
            manager, context = make_manager(params, run, instance, stored)
            manager.iteration = iteration
            create_and_wait(manager, context, instance, both)
            for job in run.jobs.of_iteration(iteration + 1):
                assert job.hyper_params == {"learning_rate_multiplier": expected[iteration]}


@pytest.mark.parametrize("from_scratch", [True, False])
def test_the_next_job_starts_from_the_base_model_or_the_last_one(
    stored, both, tmp_path, from_scratch
):
    every_agent = {"fine_tune_from_scratch": from_scratch}
    params = make_text_params(**CHANGES, every_agent=every_agent)
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    base = "gpt-4o-mini-2024-07-18"
    with new_run(tmp_path, params) as run:
        bases = []
        for iteration in range(2):
            manager, context = make_manager(params, run, instance, stored)
            manager.iteration = iteration
            models = create_and_wait(manager, context, instance, both)
            bases.append(
                {job.model_group: job.base_model for job in run.jobs.of_iteration(iteration + 1)}
            )
            for name, group in instance.shared_model_groups.items():
                group.use_model(models[name])
        assert bases[0] == dict.fromkeys(models, base)
        first = {job.model_group: job.model for job in run.jobs.of_iteration(1)}
        assert bases[1] == (bases[0] if from_scratch else first)
        # No two trainings shuffle their examples alike.
        assert len({job.seed for job in run.jobs.all()}) == 4


def test_a_budget_for_one_job_at_a_time_is_enough_if_they_cost_less_than_their_worst_case(
    stored, both, params, instance, tmp_path
):
    names = ("gpt-4o-mini", "ft:gpt-4o-mini")
    price = {"prompt": 0.0, "completion": 0.0, "training": 100.0}
    prices = tmp_path / "prices.yaml"
    prices.write_text(dump(dict.fromkeys(names, price)))

    def fine_tune(run_id, max_cost):
        budget = tmp_path / f"{run_id}.json"
        set_shared_budget(budget, 1000.0)
        with Run.open(text_settings(tmp_path), run_id, params.to_dict()) as run:
            share = BudgetShare(budget, run.folder)
            tracker = UsageTracker(read_prices(prices), max_cost, shared_budget=share)
            manager, context = make_manager(
                params, run, instance, stored, usage_tracker=tracker, prices=prices
            )
            held = []
            wait = manager.wait

            def note_and_wait():
                held.append(tracker.spent)
                return wait()

            manager.wait = note_and_wait
            try:
                models = create_and_wait(manager, context, instance, both)
            finally:
                claimed = SharedBudget.read(budget).claimed
                assert claimed == pytest.approx(tracker.cost)
        return models, held[0], tracker.cost

    models, worst, cost = fine_tune("unlimited", 1000.0)
    assert cost < 0.9 * worst
    with pytest.warns(NipWarning, match="does not fit into the budget: it waits"):
        limited, held, same_cost = fine_tune("limited", 0.99 * worst)
    assert same_cost == cost <= held < worst
    assert len(limited) == len(models) == 2


def test_agents_of_one_group_make_one_dataset_and_frozen_ones_none(stored, both, tmp_path):
    every_agent = {"shared_model_group": "both"}
    params = make_text_params(**CHANGES, every_agent=every_agent)
    instance = build_scenario_instance(params, ExperimentSettings(progress=False))
    with new_run(tmp_path, params) as run:
        manager, context = make_manager(params, run, instance, stored)
        models = create_and_wait(manager, context, instance, both)
        assert list(models) == ["both"]
        (job,) = run.jobs.all()
        spoken = [manager.conversations(name, both) for name in ("prover", "verifier")]
        assert job.num_examples == len(spoken[0]) + len(spoken[1])
    frozen = make_text_params(**CHANGES, every_agent={"freeze_agent": True})
    instance = build_scenario_instance(frozen, ExperimentSettings(progress=False))
    with Run.open(text_settings(tmp_path), "frozen", frozen.to_dict()) as run:
        manager, context = make_manager(frozen, run, instance, stored)
        assert create_and_wait(manager, context, instance, both) == {}
        assert run.jobs.all() == []
