"""Groups of agents share a model and its fine-tuned versions."""

import json

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.scenario_base.agents import PureTextSharedModelGroup as FromTheGuide
from nip.scenario_base.text.shared_model_group import (
    PureTextSharedModelGroup,
    build_shared_model_groups,
)
from nip.utils.nested_array_dict import NestedArrayDict
from tests.scenario_base.text.dialogues import agents_of, rules_of


def groups_of(protocol="debate", **agents):
    return build_shared_model_groups(agents_of(rules_of(protocol, agents=agents)))


def rollouts(*positions):
    return NestedArrayDict({"position": list(positions)}, batch_size=len(positions))


class Service:
    """Writes an example for each rollout, and notes the jobs."""

    def __init__(self, iteration=0):
        self.jobs = []
        self.iteration = iteration

    def conversations(self, agent_name, given, *, verdict_becomes_truth=False):
        suffix = "!" if verdict_becomes_truth else ""
        return [
            [
                {"role": "user", "content": f"{agent_name} {rollout}"},
                {"role": "assistant", "content": f"said {rollout}{suffix}"},
            ]
            for rollout in given["position"].tolist()
        ]

    def create_job(self, group, dataset):
        self.jobs.append((group.name, dataset.content.decode(), dataset.num_examples))


def test_it_is_found_where_the_published_guide_has_it():
    assert FromTheGuide is PureTextSharedModelGroup


def test_each_agent_is_a_group_of_its_own_unless_it_names_one():
    assert {name: group.agent_names for name, group in groups_of().items()} == {
        "prover0": ("prover0",),
        "prover1": ("prover1",),
        "verifier": ("verifier",),
    }
    shared = {"shared_model_group": "provers"}
    groups = groups_of(prover0=shared, prover1=shared)
    assert {name: group.agent_names for name, group in groups.items()} == {
        "provers": ("prover0", "prover1"),
        "verifier": ("verifier",),
    }


def test_a_group_may_be_called_like_one_of_its_agents_but_no_other():
    shared = {"shared_model_group": "prover0"}
    assert groups_of(prover0=shared, prover1=shared)["prover0"].agent_names == (
        "prover0",
        "prover1",
    )
    with pytest.raises(ParameterError, match=r"agents\.prover1\.shared_model_group .*outside"):
        groups_of(prover1=shared)


def test_a_new_model_is_of_the_same_service():
    group = groups_of()["verifier"]
    assert group.model == group.base_model == ModelSpec("test", "of-verifier")
    group.use_model("ft:of-verifier:1")
    assert group.model == ModelSpec("test", "ft:of-verifier:1")
    assert group.model_name == "ft:of-verifier:1"
    assert group.base_model == ModelSpec("test", "of-verifier")


def test_a_name_of_code_is_not_taken_from_the_state_of_a_run():
    agents = agents_of(rules_of("nip"))
    script = ModelSpec("scripted", "mine.py:answer")
    groups = build_shared_model_groups({n: each.with_model(script) for n, each in agents.items()})
    groups["prover"].use_model("mine.py:answer")
    with pytest.raises(ParameterError, match=r"names the model 'theirs\.py:answer' for prover"):
        groups["prover"].use_model("theirs.py:answer")


@pytest.mark.parametrize(("from_scratch", "start"), [(True, "of-verifier"), (False, "second")])
def test_training_starts_from_the_first_model_or_the_last(from_scratch, start):
    group = groups_of(verifier={"fine_tune_from_scratch": from_scratch})["verifier"]
    assert group.model_to_fine_tune.model_name == "of-verifier"
    group.use_model("second")
    assert group.model_to_fine_tune.model_name == start


def test_one_dataset_holds_the_examples_of_all_its_agents():
    shared = {"shared_model_group": "provers"}
    group = groups_of(prover0=shared, prover1=shared)["provers"]
    group.service = service = Service()
    # An agent of another group adds nothing; an agent without rollouts neither.
    group.create_supervised_fine_tune_job(
        {"prover1": rollouts(3, 3), "prover0": rollouts(1), "verifier": rollouts(5)}
    )
    ((name, content, number),) = service.jobs
    assert (name, number) == ("provers", 3)
    assert content.splitlines() == [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": said},
                ]
            }
        )
        for question, said in [("prover0 1", "said 1"), *2 * [("prover1 3", "said 3")]]
    ]
    group.create_supervised_fine_tune_job({})
    assert service.jobs[1][2] == 0


def test_replaced_verdicts_are_further_examples():
    group = groups_of()["verifier"]
    group.service = service = Service()
    group.create_supervised_fine_tune_job(
        {"verifier": rollouts(1)}, replaced_per_agent={"verifier": rollouts(2)}
    )
    ((_, content, number),) = service.jobs
    assert number == 2
    assert "said 1" in content
    assert "said 2!" in content


def test_a_frozen_group_makes_no_job():
    group = groups_of(verifier={"freeze_agent": True})["verifier"]
    group.service = service = Service()
    group.create_supervised_fine_tune_job({"verifier": rollouts(1)})
    assert group.is_frozen
    assert service.jobs == []


def test_agents_whose_schedule_pauses_do_not_learn():
    late = {
        "_type": "ContiguousPeriodicUpdateSchedule",
        "ContiguousPeriodicUpdateSchedule": {"period": 10, "start": 3, "stop": 10},
    }
    agents = {
        "prover0": {"shared_model_group": "provers", "update_schedule": late},
        "prover1": {"shared_model_group": "provers"},
        "verifier": {"update_schedule": late},
    }
    groups = groups_of(**agents)
    given = {name: rollouts(1) for name in agents}
    for iteration, learning in ((2, ["prover1"]), (3, ["prover0", "prover1", "verifier"])):
        service = Service(iteration)
        for group in groups.values():
            group.service = service
            group.create_supervised_fine_tune_job(given)
        written = "".join(content for _, content, _ in service.jobs)
        assert [name for name in agents if f"{name} 1" in written] == learning
        assert len(service.jobs) == (1 if iteration == 2 else 2)
