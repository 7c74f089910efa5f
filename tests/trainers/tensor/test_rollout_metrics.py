"""The metrics of a made-up batch, worked out by hand."""

from math import log, sqrt

import pytest
import torch
from tensordict import TensorDict

from nip.protocols import ProtocolHandler, build_protocol_handler
from nip.scenario_base.collector import RolloutCollector
from nip.trainers.tensor.rollout_metrics import first_episodes, metric_frames, rollout_metrics
from tests.experiments import make_instance, make_params

REJECT, ACCEPT, CONTINUE = 0, 1, 2

DECISIONS = [REJECT, ACCEPT, ACCEPT, ACCEPT, CONTINUE, REJECT]
LABELS = [0, 1, 0, 1, 1, 1]
DATAPOINTS = [7, 3, 7, 3, 3, 5]
"""Six episodes: right, right, wrong, right, none, wrong."""


def handler_of(**changes) -> ProtocolHandler:
    return build_protocol_handler(make_params(**changes))


def adp_batch() -> TensorDict:
    """Six episodes of two rounds: the prover names a symbol, the verifier decides as above."""
    decision = torch.full((6, 2, 2), CONTINUE)
    decision[:, 1, 1] = torch.tensor(DECISIONS)
    # What others say, and what is said out of turn, must not matter.
    decision[:, :, 0] = ACCEPT
    decision[:, 0, 1] = torch.tensor([ACCEPT, REJECT] * 3)
    is_turn = torch.tensor([[True, False], [False, True]]).expand(6, 2, 2)
    done = torch.tensor([False, True]).expand(6, 2)
    reward = torch.zeros(6, 2, 2)
    reward[:, 1, 1] = torch.tensor([1.0, 1.0, -1.0, 1.0, -3.0, -1.0])
    terminated = torch.zeros(6, 2, dtype=torch.bool)
    terminated[4, 1] = True
    message_logits = torch.zeros(6, 2, 2, 1, 1, 4)
    # The prover is undecided between two symbols in three episodes, sure in the others.
    message_logits[:3, 0, 0, ..., 2:] = -1e9
    message_logits[3:, 0, 0, ..., 1:] = -1e9
    decision_logits = torch.zeros(6, 2, 2, 3)
    decision_logits[:, 1, 1] = torch.tensor([0.5, 0.25, 0.25]).log()
    agents = {
        "decision": decision,
        "decides": is_turn & torch.tensor([False, True]),
        "active": is_turn.unsqueeze(-1),
        "value_known": is_turn,
        "main_message_logits": message_logits,
        "decision_logits": decision_logits,
    }
    verdict = torch.full((6, 2), CONTINUE)
    verdict[:, 1] = torch.tensor(DECISIONS)
    following = {
        "done": done,
        "verdict": verdict,
        "terminated": terminated,
        "agents": {"reward": reward, "episode_reward": reward.cumsum(1)},
    }
    columns = {"y": LABELS, "datapoint_id": DATAPOINTS}
    root = {name: torch.tensor(values).view(6, 1).repeat(1, 2) for name, values in columns.items()}
    return TensorDict(
        {
            "round": torch.arange(2).expand(6, 2),
            "y": root["y"].unsqueeze(-1),
            "datapoint_id": root["datapoint_id"],
            "seed": torch.zeros(6, 2, dtype=torch.long),
            "agents": agents,
            "next": following,
        },
        batch_size=[6, 2],
    )


@pytest.fixture
def metrics() -> dict[str, float]:
    return rollout_metrics(adp_batch(), handler_of())


def test_accuracy_counts_no_decision_as_wrong(metrics):
    assert metrics["mean_accuracy"] == pytest.approx(3 / 6)
    assert metrics["std_accuracy"] == pytest.approx(0.5)
    assert metrics["decided_share"] == pytest.approx(5 / 6)
    assert metrics["num_episodes"] == 6


def test_completeness_and_soundness(metrics):
    # Of four episodes with the label 1 two are accepted; of two with the label 0 one is rejected.
    assert metrics["completeness"] == pytest.approx(2 / 4)
    assert metrics["soundness"] == pytest.approx(1 / 2)


def test_accuracy_by_datapoint(metrics):
    # Datapoint 7: right, wrong. Datapoint 3: right, right, none. Datapoint 5: wrong.
    assert metrics["mean_datapoint_accuracy"] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    mean = (1 / 2 + 2 / 3 + 0) / 3
    variance = sum((value - mean) ** 2 for value in (1 / 2, 2 / 3, 0)) / 3
    assert metrics["std_datapoint_accuracy"] == pytest.approx(sqrt(variance))
    assert metrics["worst_datapoint_accuracy"] == 0


def test_rewards(metrics):
    assert metrics["verifier.mean_step_reward"] == pytest.approx(-2 / 12)
    assert metrics["verifier.mean_episode_reward"] == pytest.approx(-2 / 6)
    # Datapoint 7: 0; datapoint 3: (1 + 1 - 3) / 3; datapoint 5: -1.
    assert metrics["verifier.worst_episode_reward"] == pytest.approx(-1)
    assert metrics["prover.mean_episode_reward"] == 0


def test_episodes_have_as_many_steps_as_rounds(metrics):
    assert metrics["mean_episode_length"] == 2


def test_entropies_are_shares_of_the_largest_possible_one(metrics):
    # log 2 / log 4 in one half of the turns, 0 in the other.
    assert metrics["prover.mean_message_entropy"] == pytest.approx(0.25)
    assert metrics["prover.std_message_entropy"] == pytest.approx(0.25)
    assert metrics["prover.mean_message_max_probability"] == pytest.approx(0.75)
    assert metrics["prover.std_message_max_probability"] == pytest.approx(0.25)
    assert metrics["verifier.mean_message_entropy"] == pytest.approx(1)
    entropy = (0.5 * log(2) + 0.5 * log(4)) / log(3)
    assert metrics["verifier.mean_decision_entropy"] == pytest.approx(entropy)
    assert metrics["verifier.std_decision_entropy"] == pytest.approx(0, abs=1e-9)
    assert metrics["verifier.mean_decision_max_probability"] == pytest.approx(0.5)
    assert "prover.mean_decision_entropy" not in metrics


def test_metrics_of_the_critic_count_only_where_the_value_is_known():
    batch = adp_batch()
    value, target = torch.zeros(6, 2, 2), torch.zeros(6, 2, 2)
    value[:, 0, 0] = torch.tensor([1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    target[:, 0, 0] = torch.tensor([1.0, 2.0, 2.0, 3.0, 3.0, 4.0])
    value[:, 1, 0], target[:, 1, 0] = 50.0, -50.0
    batch["agents", "value"], batch["agents", "value_target"] = value, target
    batch["agents", "advantage"] = target - value
    metrics = rollout_metrics(batch, handler_of())
    assert metrics["prover.mean_value"] == pytest.approx(2)
    assert metrics["prover.mean_value_target"] == pytest.approx(2.5)
    assert metrics["prover.mean_advantage"] == pytest.approx(0.5)
    # The errors are 0 and 1 by turns; the targets 1, 2, 2, 3, 3, 4 have the variance 11/12.
    assert metrics["prover.residual_critic_variance"] == pytest.approx(0.25 / (11 / 12))
    # A constant target has no variance: what is divided by has a floor.
    assert metrics["verifier.residual_critic_variance"] == 0


def test_what_is_not_defined_is_left_out():
    batch = adp_batch()[:2]
    batch["y"] = torch.ones_like(batch["y"])
    metrics = rollout_metrics(batch, handler_of())
    assert "soundness" not in metrics
    assert metrics["completeness"] == pytest.approx(1 / 2)
    unfinished = adp_batch()[:, :1]
    metrics = rollout_metrics(unfinished, handler_of())
    assert "mean_accuracy" not in metrics
    assert "prover.mean_episode_reward" not in metrics
    assert metrics["prover.mean_step_reward"] == 0


def test_a_single_value_has_no_deviation():
    """A deviation of 0 would say that the values are equal."""
    batch = adp_batch()[:1]
    zeros = torch.zeros(1, 2, 2)
    batch["agents", "value"] = zeros
    batch["agents", "value_target"] = batch["agents", "advantage"] = zeros + 5.0
    metrics = rollout_metrics(batch, handler_of())
    assert metrics["mean_accuracy"] == metrics["mean_datapoint_accuracy"] == 1
    assert metrics["prover.mean_value_target"] == 5
    undefined = [name for name in metrics if "std_" in name or "variance" in name]
    assert undefined == []
    # Two episodes about one question: the accuracy of one question has no deviation.
    two = rollout_metrics(adp_batch()[[0, 2]], handler_of())
    assert two["std_accuracy"] == pytest.approx(0.5)
    assert two["prover.std_message_entropy"] == pytest.approx(0, abs=1e-9)
    assert "std_datapoint_accuracy" not in two


@pytest.mark.parametrize("guess", ["zero", "one", "y"])
def test_forced_guesses_are_measured_as_they_are_paid(guess):
    instance = make_instance(make_params(protocol_common={"force_guess": guess}))
    collector = RolloutCollector(
        instance.train_environment, instance.agents.eval(), num_steps=4, seed=0
    )
    metrics = rollout_metrics(collector.collect(), instance.protocol_handler)
    # The verifier earns 1 for a right decision and -1 for a wrong one.
    assert metrics["verifier.mean_episode_reward"] == pytest.approx(
        2 * metrics["mean_accuracy"] - 1
    )


def merlin_arthur_batch(episodes) -> TensorDict:
    """Return the last frames of episodes of (seed, label, decision) with two provers."""
    seeds, labels, decisions = torch.tensor(episodes).T
    count = len(seeds)
    decision = torch.full((count, 1, 3), CONTINUE)
    decision[:, 0, 2] = decisions
    is_verifier = torch.tensor([False, False, True]).expand(count, 1, 3)
    done = torch.ones(count, 1, dtype=torch.bool)
    agents = {
        "decision": decision,
        "decides": is_verifier,
        "active": is_verifier.unsqueeze(-1),
        "main_message_logits": torch.zeros(count, 1, 3, 1, 1, 4),
        "decision_logits": torch.zeros(count, 1, 3, 3),
    }
    rewards = dict.fromkeys(("reward", "episode_reward"), torch.zeros(count, 1, 3))
    return TensorDict(
        {
            "round": torch.ones(count, 1, dtype=torch.long),
            "seed": seeds.view(-1, 1),
            "y": labels.view(-1, 1, 1),
            "datapoint_id": torch.arange(count).view(-1, 1),
            "agents": agents,
            "next": {"done": done, "verdict": decisions.view(-1, 1), "agents": rewards},
        },
        batch_size=[count, 1],
    )


def test_merlin_arthur_classification_is_measured_given_who_spoke():
    # prover0 speaks when the seed is even and argues for 0; prover1 argues for 1.
    helped_0 = [(0, 0, 0), (2, 0, 1), (4, 0, 0), (6, 0, 0)]
    helped_1 = [(1, 1, 1), (3, 1, 2)]
    misled_to_1 = [(1, 0, 0), (3, 0, 2), (5, 0, 1)]
    misled_to_0 = [(0, 1, 1), (2, 1, 1)]
    batch = merlin_arthur_batch(helped_0 + helped_1 + misled_to_1 + misled_to_0)
    metrics = rollout_metrics(batch, handler_of(protocol="merlin_arthur"))
    # 3 of 4 and 1 of 2; saying nothing counts against completeness, but not against soundness.
    assert metrics["speaker_completeness"] == pytest.approx(0.5)
    assert metrics["speaker_soundness"] == pytest.approx(2 / 3)
    # Whoever spoke: 3 of 4 with the label 1, and 4 of 7 with the label 0.
    assert metrics["completeness"] == pytest.approx(3 / 4)
    assert metrics["soundness"] == pytest.approx(4 / 7)
    one_speaker = merlin_arthur_batch(helped_0 + helped_1)
    assert "speaker_soundness" not in rollout_metrics(
        one_speaker, handler_of(protocol="merlin_arthur")
    )


def test_only_what_the_metrics_need_is_kept_for_them():
    batch = adp_batch()
    batch["x"] = torch.zeros(6, 2, 1000)
    kept = metric_frames(batch)
    assert "x" not in kept.keys()
    assert rollout_metrics(kept, handler_of()) == rollout_metrics(batch, handler_of())


def test_equally_many_episodes_of_each_environment_are_counted():
    """An environment whose episodes are short does not count more often."""
    protocol = handler_of(protocol="nip", nip_protocol={"max_message_rounds": 4})
    short, long = [True] * 9, [False, False, False, True] * 2 + [False]
    batch = TensorDict({"next": {"done": torch.tensor([short, long])}}, batch_size=[2, 9])
    frames = first_episodes(batch, protocol)
    # Nine steps surely hold two episodes of four rounds: 2 and 8 frames.
    assert len(frames) == 10
    assert frames["next", "done"].sum() == 4


def test_a_batch_in_which_an_episode_may_not_end_is_refused():
    protocol = handler_of(protocol="nip", nip_protocol={"max_message_rounds": 4})
    batch = TensorDict({"next": {"done": torch.tensor([[True, False, False]])}}, batch_size=[1, 3])
    with pytest.raises(ValueError, match=r"3 steps.* up to 4 rounds .*at least as many"):
        first_episodes(batch, protocol)
