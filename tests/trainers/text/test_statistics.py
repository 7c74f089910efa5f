"""The metrics of a stage, compared with tables computed by hand."""

import numpy as np
import pytest

from nip.trainers.text.statistics import (
    first_verifier_names,
    first_verifier_statistics,
    rollout_statistics,
)
from tests.protocols.play import handler_of
from tests.scenario_base.text.dialogues import rules_of
from tests.trainers.rollout_tables import make_rollouts

PROTOCOL = handler_of("nip")  # agents: verifier, prover
A, B = (PROTOCOL.agent_names.index(name) for name in ("prover", "verifier"))


def statistics_of(**columns):
    return rollout_statistics(make_rollouts(**columns), PROTOCOL)


#   question  y  verdict   right
#   a         1  accept    yes
#   a         1  none      no
#   b         0  accept    no
#   b         0  reject    yes
#   c         1  accept    yes
TABLE = {
    "datapoint_id": ["a", "a", "b", "b", "c"],
    "y": [1, 1, 0, 0, 1],
    "verdict": [1, 2, 1, 0, 1],
}


def test_accuracy_and_its_relatives():
    found = statistics_of(**TABLE)
    assert found["mean_accuracy"] == pytest.approx(3 / 5)
    assert found["std_accuracy"] == pytest.approx(np.sqrt(0.6 * 0.4))
    assert found["completeness"] == found["recall"] == pytest.approx(2 / 3)
    assert found["soundness"] == pytest.approx(1 / 2)
    assert found["precision"] == pytest.approx(2 / 3), "two of the three accepted are right"
    assert found["decided_share"] == pytest.approx(4 / 5)
    assert found["terminated_share"] == pytest.approx(1 / 5)
    assert found["mean_datapoint_accuracy"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert found["std_datapoint_accuracy"] == pytest.approx(np.std([0.5, 0.5, 1]))
    assert found["worst_datapoint_accuracy"] == 0.5
    assert found["num_episodes"] == 5


#   y  verdict  of the first verifier   the prover gains from an error
#   1  accept   accept                  no
#   0  accept   none                    yes, and obtains it
#   0  reject   accept                  yes
#   0  reject   (failed)                yes
#   0  accept   accept                  it wrote nothing
JUDGED = {"y": [1, 0, 0, 0, 0], "verdict": [1, 1, 0, 0, 1]}


def judged_rollouts():
    rollouts = make_rollouts(**{name: np.array(values) for name, values in JUDGED.items()})
    rollouts["agents", "active"][4, :, A] = False
    return rollouts


def test_a_prover_misleads_where_a_wrong_decision_pays_and_is_given():
    found = rollout_statistics(judged_rollouts(), PROTOCOL)
    assert found["prover.misled_share"] == pytest.approx(1 / 3)
    low, high = (found[f"prover.misled_share_ci_{end}"] for end in ("low", "high"))
    assert low < 1 / 3 < high
    assert "verifier.misled_share" not in found
    # With the verifier's reward, a prover gains from no error.
    shared = handler_of("nip", common={"shared_reward": True})
    assert "prover.misled_share" not in rollout_statistics(judged_rollouts(), shared)


def test_a_prover_with_a_random_stance_gains_where_its_stance_is_wrong():
    rollouts = judged_rollouts()
    rollouts["agents", "active"][4, :, A] = True
    rollouts["prover_stance"] = np.array([0, 0, 0, 1, 1])
    protocol = rules_of("nip", protocol_common={"randomize_prover_stance": True}).protocol
    # It is wrong in the first rollout, accepted, and in the last two, of which one is accepted.
    found = rollout_statistics(rollouts, protocol)
    assert found["prover.misled_share"] == pytest.approx(1 / 3)


def test_each_prover_of_a_debate_gains_from_the_errors_of_its_side():
    protocol = handler_of("debate")
    rollouts = make_rollouts(3, y=np.array([1, 1, 0]), verdict=np.array([0, 1, 0]))
    rollouts["agents", "active"][:] = True
    found = rollout_statistics(rollouts, protocol)
    assert found["prover0.misled_share"] == pytest.approx(1 / 2)
    assert found["prover1.misled_share"] == 0.0


def test_the_verdicts_of_the_first_verifier_are_counted_by_position():
    judged = make_rollouts(
        position=np.array([0, 1, 2, 3, 4]),
        verdict=np.array([1, 2, 1, 1, 1]),
        failed=np.array([False, False, False, True, False]),
    )[np.array([0, 1, 2, 3, 4])]
    found = first_verifier_statistics(judged_rollouts(), judged, PROTOCOL)
    assert found["first_verifier_accuracy"] == pytest.approx(1 / 4)
    assert found["first_verifier_undecided_share"] == pytest.approx(1 / 4)
    # Of the second and third rollout, in which the prover can gain, the third is accepted.
    assert found["prover.first_verifier_misled_share"] == pytest.approx(1 / 2)
    assert set(found) <= first_verifier_names(PROTOCOL)
    assert first_verifier_statistics(judged_rollouts(), judged[3:4], PROTOCOL) == {}


def test_a_single_rollout_has_no_deviation_and_a_single_question_no_interval():
    found = statistics_of(datapoint_id=["a"], y=[1], verdict=[1])
    assert found["mean_accuracy"] == found["mean_datapoint_accuracy"] == 1
    assert not [name for name in found if "std_" in name or "_ci_" in name]
    found = statistics_of(datapoint_id=["a", "a"], y=[1, 1], verdict=[1, 0])
    assert found["std_accuracy"] == pytest.approx(0.5)
    assert found["verifier.std_episode_reward"] >= 0
    assert not [name for name in found if "std_datapoint" in name or "_ci_" in name]


def test_the_interval_is_that_of_the_questions():
    # Deviations: a: .4 − .6 = −.2; b: −.6 + .4 = −.2; c: .4. SE² = 3/2 · (.04 + .04 + .16)/25.
    found = statistics_of(**TABLE)
    half = 4.302653 * np.sqrt(1.5 * 0.24 / 25)
    assert found["mean_accuracy_ci_low"] == pytest.approx(0.6 - half, abs=1e-6)
    assert found["mean_accuracy_ci_high"] == pytest.approx(min(1, 0.6 + half), abs=1e-6)


def test_the_interval_is_that_of_the_problems_if_questions_share_one():
    # Problem p has the questions a and b, problem q has c. Deviations: p: −.4; q: .4.
    # SE² = 2 · (.16 + .16)/25; t with 1 degree of freedom is 12.7062.
    found = statistics_of(**TABLE, cluster=["p", "p", "p", "p", "q"])
    assert (found["mean_accuracy_ci_low"], found["mean_accuracy_ci_high"]) == (0.0, 1.0)
    # The lengths are 4, 4, 4, 4 and 2: the mean is 3.6, the deviations are p: 1.6; q: −1.6.
    lengths = statistics_of(**TABLE, cluster=["p", "p", "p", "p", "q"], num_rounds=[4, 4, 4, 4, 2])
    half = 12.706205 * np.sqrt(2 * (1.6**2 + 1.6**2) / 25)
    assert lengths["mean_episode_length_ci_high"] == pytest.approx(3.6 + half, abs=1e-5)
    # What is said of single questions stays.
    assert found["worst_datapoint_accuracy"] == 0.5


def test_intervals_cover_the_accuracy_if_problems_differ():
    """Simulates a verifier that is better at some problems than at others."""
    rng = np.random.default_rng(5)
    num_problems, num_programs, num_trials = 24, 8, 800
    size = num_problems * num_programs
    problem = np.repeat(np.arange(num_problems), num_programs)
    y = np.tile([0, 1], size // 2)
    batch = make_rollouts(
        y=y, cluster=[f"problem {each}" for each in problem], verdict=np.ones(size, dtype=int)
    )
    names = ("mean_accuracy", "completeness", "soundness")
    hits = dict.fromkeys(names, 0)
    for _ in range(num_trials):
        skill = rng.beta(2.1, 0.9, num_problems)  # Its mean is 0.7.
        correct = rng.random(size) < skill[problem]
        batch["verdict"] = np.where(correct, y, 1 - y)
        found = rollout_statistics(batch, PROTOCOL)
        for name in names:
            hits[name] += found[f"{name}_ci_low"] <= 0.7 <= found[f"{name}_ci_high"]
    # Two standard errors of a coverage of 95 % in 800 trials are 1.5 %.
    for name in names:
        assert hits[name] / num_trials == pytest.approx(0.95, abs=0.02), name


def test_a_failed_rollout_is_counted_and_nothing_else():
    failed = {"datapoint_id": ["z"], "y": [0], "verdict": [0]}
    both = {name: list(column) + failed[name] for name, column in TABLE.items()}
    without = statistics_of(**TABLE)
    found = statistics_of(**both, failed=[False] * 5 + [True])
    assert found.pop("num_failed_rollouts") == 1 and without.pop("num_failed_rollouts") == 0
    assert found.pop("failed_share") == pytest.approx(1 / 6) and without.pop("failed_share") == 0
    assert found == without


def test_when_all_failed_nothing_else_is_defined():
    assert statistics_of(verdict=[0, 0], failed=[True, True]) == {
        "num_failed_rollouts": 2,
        "failed_share": 1,
        "num_episodes": 0,
    }
    empty = rollout_statistics(make_rollouts(verdict=[1])[:0], PROTOCOL)
    assert empty == {"num_failed_rollouts": 0, "num_episodes": 0}


def test_what_is_not_defined_is_left_out():
    found = statistics_of(y=[1, 1], verdict=[2, 2])
    assert found["completeness"] == 0
    assert not {"soundness", "precision", "mean_decision"} & set(found)


def test_without_a_second_question_there_is_no_interval():
    found = statistics_of(datapoint_id=["a", "a"], verdict=[1, 0])
    assert found["mean_accuracy"] == 0.5
    assert not [name for name in found if "_ci_" in name]


def test_graded_decisions_have_a_mean():
    found = statistics_of(verdict=[1, 0, 2, 1], verdict_value=[0.5, -0.25, np.nan, 0.5])
    assert found["mean_decision"] == pytest.approx(0.25)
    assert found["mean_decision_ci_low"] < 0.25 < found["mean_decision_ci_high"]


def test_rewards_are_summed_over_the_rounds():
    reward = np.zeros((3, 4, 2))
    reward[:, 1, B] = [0.5, 0.5, 0.0]
    reward[:, 3, B] = [1.0, -1.0, 1.0]
    found = statistics_of(reward=reward, datapoint_id=["a", "a", "b"], num_rounds=[4, 4, 2])
    assert found["verifier.mean_episode_reward"] == pytest.approx((1.5 - 0.5 + 1) / 3)
    assert found["verifier.std_episode_reward"] == pytest.approx(np.std([1.5, -0.5, 1]))
    assert found["verifier.worst_episode_reward"] == pytest.approx(0.5), "question a"
    assert found["verifier.mean_step_reward"] == pytest.approx(2 / 10)
    assert found["prover.mean_episode_reward"] == 0
    assert found["mean_episode_length"] == pytest.approx(10 / 3)


def test_answers_are_counted_over_the_turns_of_an_agent():
    retries, cut, invalid = (np.zeros((2, 4, 2), dtype=np.int64) for _ in range(3))
    # Of two rounds in which A writes in each rollout, one was asked again twice and then given up.
    retries[0, 0, 0], invalid[0, 0, 0], cut[1, 2, 0], cut[1, 0, 0] = 2, 1, 1, 1
    tokens = np.zeros((2, 4, 2), dtype=np.int64)
    tokens[:, 0, 0], tokens[:, 2, 0], tokens[0, 1, 1] = 10, [20, 40], 7
    active = make_rollouts(y=[1, 1])["agents", "active"]
    active[0, 0, 0] = False
    found = statistics_of(
        active=active,
        num_retries=retries,
        cut=cut.astype(bool),
        invalid=invalid.astype(bool),
        prompt_tokens=tokens,
        completion_tokens=tokens // 10,
    )
    first, second = PROTOCOL.agent_names
    assert found[f"{first}.retry_share"] == 1 / 4
    assert found[f"{first}.invalid_share"] == 1 / 4
    assert found[f"{first}.cut_share"] == 2 / 4
    assert found[f"{second}.cut_share"] == found[f"{second}.retry_share"] == 0
    assert found[f"{first}.mean_prompt_tokens"] == pytest.approx((30 + 50) / 2)
    assert found[f"{second}.mean_prompt_tokens"] == pytest.approx(3.5)
    assert found[f"{first}.mean_completion_tokens"] == pytest.approx(4)


def test_an_agent_without_a_turn_has_no_shares():
    active = np.zeros((1, 4, 2), dtype=bool)
    found = statistics_of(active=active)
    assert not [name for name in found if name.endswith(("retry_share", "cut_share"))]


def test_the_prefix_is_prepended():
    found = rollout_statistics(make_rollouts(**TABLE), PROTOCOL, prefix="test_")
    assert found["test_mean_accuracy"] == pytest.approx(3 / 5)
    assert "test_prover.mean_episode_reward" in found
    assert all(name.startswith("test_") for name in found)
    assert all(type(value) is float for value in found.values())


def test_the_order_of_the_rollouts_does_not_matter():
    rollouts = make_rollouts(**TABLE, reward=np.arange(10.0).reshape(5, 2))
    turned = rollouts[[3, 1, 4, 0, 2]]
    assert rollout_statistics(turned, PROTOCOL) == pytest.approx(
        rollout_statistics(rollouts, PROTOCOL)
    )


def test_who_speaks_matters_in_merlin_arthur():
    protocol = handler_of("merlin_arthur")
    goals = [protocol.prover_goals[name] for name in protocol.prover_names]
    assert protocol.num_variants == 2 and sorted(goals) == [0, 1]
    speaks = [set(np.flatnonzero(table.any(axis=(0, 2)))) for table in protocol.active]
    goal = [
        protocol.prover_goals[name]
        for speakers in speaks
        for name in protocol.prover_names
        if protocol.agent_names.index(name) in speakers
    ]
    rows = [  # seed, y, verdict
        (goal.index(1), 1, 1),
        (goal.index(1), 1, 0),  # honest for accept: 1 of 2
        (goal.index(0), 0, 0),  # honest for reject: 1 of 1
        (goal.index(1), 0, 0),
        (goal.index(1), 0, 2),  # resisted accept: 2 of 2, not deciding is not being fooled
        (goal.index(0), 1, 0),
        (goal.index(0), 1, 1),
        (goal.index(0), 1, 1),  # resisted reject: 2 of 3
    ]
    seed, y, verdict = zip(*rows, strict=True)
    found = rollout_statistics(
        make_rollouts(num_agents=3, seed=seed, y=y, verdict=verdict), protocol
    )
    assert found["speaker_completeness"] == 1 / 2
    assert found["speaker_soundness"] == pytest.approx(2 / 3)
    assert "speaker_soundness" not in statistics_of(**TABLE)
