"""Expert iteration: what each group of agents is given to learn from."""

import numpy as np
import pytest

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.trainers.builtin.pure_text_ei import PureTextEiTrainer
from nip.trainers.text.state import TextTrainerState
from tests.text_experiments import make_text_params
from tests.trainers.rollout_tables import make_rollouts

PROVER, VERIFIER = 0, 1
NUM_ROLLOUTS = 40


class Recorder:
    """Stands in for a group of agents, and keeps what it was given."""

    def __init__(self, *agent_names: str) -> None:
        self.agent_names = agent_names

    def create_supervised_fine_tune_job(self, rollouts_per_agent, *, replaced_per_agent=None):
        self.chosen = {
            name: rollouts["position"].tolist() for name, rollouts in rollouts_per_agent.items()
        }
        self.replaced = {
            name: rollouts["position"].tolist()
            for name, rollouts in (replaced_per_agent or {}).items()
        }


def create_jobs(*groups: Recorder, iteration: int = 0, **text_rl: object) -> None:
    """Let a trainer choose; both agents of every other rollout were paid 1, the others nothing."""
    params = make_text_params(
        interaction_protocol="nip",
        text_rl=text_rl,
        pure_text_ei={"rollout_selection_method": "threshold"},
    )
    settings = ExperimentSettings(progress=False)
    trainer = PureTextEiTrainer(params, build_scenario_instance(params, settings), settings)
    trainer.shared_model_groups = {str(number): group for number, group in enumerate(groups)}
    trainer.state = TextTrainerState(models=({},) * (iteration + 1), stage="create_fine_tune_jobs")
    decision = np.full((NUM_ROLLOUTS, 4, 2), 2)
    decision[:, 3, VERIFIER] = 1
    reward = np.repeat(np.arange(NUM_ROLLOUTS)[:, None] % 2, 2, axis=1)
    iterations = np.full(NUM_ROLLOUTS, iteration)
    trainer._stage_create_fine_tune_jobs(
        make_rollouts(decision=decision, reward=reward, iteration=iterations)
    )


WELL_PAID = list(range(1, NUM_ROLLOUTS, 2))


def test_each_agent_learns_from_the_rollouts_that_paid_it():
    create_jobs(prover := Recorder("prover"), verifier := Recorder("verifier"))
    assert (prover.chosen, prover.replaced) == ({"prover": WELL_PAID}, {})
    assert (verifier.chosen, verifier.replaced) == ({"verifier": WELL_PAID}, {"verifier": []})


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_verifier_learns_a_verdict_or_the_truth_in_its_place_never_both(is_shared):
    share = {"verifier_guess_replacement_proportion": 0.25}
    if is_shared:
        prover = verifier = Recorder("prover", "verifier")
        create_jobs(verifier, **share)
    else:
        create_jobs(prover := Recorder("prover"), verifier := Recorder("verifier"), **share)
    replaced = verifier.replaced["verifier"]
    assert len(replaced) == 10
    assert verifier.chosen["verifier"] == [row for row in WELL_PAID if row not in replaced]
    assert prover.chosen["prover"] == WELL_PAID
    assert list(verifier.replaced) == ["verifier"]


def test_the_share_of_replaced_verdicts_falls_from_iteration_to_iteration():
    replacement = {
        "verifier_guess_replacement_proportion": 0.5,
        "verifier_guess_replacement_annealing": "linear",
        "verifier_guess_replacement_annealing_rate": 0.2,
    }
    numbers = []
    for iteration in range(4):
        create_jobs(verifier := Recorder("verifier"), iteration=iteration, **replacement)
        numbers.append(len(verifier.replaced["verifier"]))
    assert numbers == [20, 12, 4, 0]
