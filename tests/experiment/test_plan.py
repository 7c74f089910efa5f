"""What a dry run reports, against numbers worked out by hand."""

from nip.experiment.plan import ExperimentPlan, IterationPlan
from nip.parameters import HyperParameters
from nip.run import prepare_experiment


def plan_of(trainer: str, **groups: object) -> ExperimentPlan:
    hyper_params = HyperParameters(scenario="toy", dataset="witness", trainer=trainer, **groups)
    return prepare_experiment(hyper_params)


def test_an_iteration_of_rollouts_is_reported() -> None:
    plan = plan_of(
        "reinforce",
        rl={"frames_per_batch": 72, "num_epochs": 3, "minibatch_size": 20, "num_iterations": 5},
    )
    # 8 rounds make 9 environments; 3 full minibatches of 20 in each of 3 epochs.
    assert plan.rollouts == IterationPlan(num_environments=9, num_steps=8, num_updates=9)
    assert plan.rollouts.num_frames == 72
    assert plan.num_iterations == 5 + 10


def test_a_trainer_that_plays_no_episodes_has_no_rollouts_to_report() -> None:
    plan = plan_of("solo_agent", solo_agent={"num_epochs": 7})
    assert plan.rollouts is None
    assert plan.num_iterations == 7 + 1


def test_the_weights_of_each_part_are_counted() -> None:
    verifier = plan_of("reinforce").agents[1]
    # It sees one number. Each logit and the value have a weight and a bias: 4 symbols, 3 decisions.
    assert verifier.name == "verifier"
    assert verifier.num_weights == {"body": 0, "policy_head": 2 * (4 + 3), "value_head": 2}
    assert verifier.total_num_weights == 16
