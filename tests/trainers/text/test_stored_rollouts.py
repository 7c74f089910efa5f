"""Rollouts are planned deterministically, and read back from the database as they were played."""

import numpy as np

from nip.trainers.text.data_order import requests_of_stage


def test_rollouts_are_loaded_in_the_requested_order(stored, params):
    for phase, iteration in (("train", 0), ("train", 1), ("test", 1)):
        requests = requests_of_stage(params, phase, iteration, len(stored.dataset(phase)))
        rollouts = stored.load(phase, iteration)
        assert rollouts["position"].tolist() == [each.position for each in requests]
        assert rollouts["datapoint"].tolist() == [each.datapoint for each in requests]
        assert rollouts["copy"].tolist() == [each.copy for each in requests]
        assert set(rollouts["iteration"].tolist()) == {iteration}
        plans = stored.plans(phase, iteration, requests)
        assert rollouts["seed"].tolist() == [plan.seed for plan in plans]
        assert [plan.key_prefix for plan in plans[:2]] == [
            f"{phase}/{iteration}/0",
            f"{phase}/{iteration}/1",
        ]
    # Forty dialogues to learn from, and those of two tests.
    assert stored.count() == 40 + 2 * len(stored.dataset("test"))


def test_every_rollout_has_a_different_seed(stored, params, instance, monkeypatch):
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


def test_the_verdict_is_replaced_only_where_requested(stored, both):
    wrong = np.flatnonzero((both["verdict"] != 2) & (both["verdict"] != both["y"]))
    assert len(wrong) > 3
    for row in wrong:
        place = int(both["iteration"][row]), int(both["position"][row])
        truth = ("reject", "accept")[int(both["y"][row])]
        plain = stored.conversation(*place, "verifier")
        replaced = stored.conversation(*place, "verifier", verdict_becomes_truth=True)
        assert replaced[:-1] == plain[:-1]
        assert replaced[-1]["content"].endswith(f"Decision: {truth}")
        assert not plain[-1]["content"].endswith(f"Decision: {truth}")
        same = stored.conversation(*place, "prover", verdict_becomes_truth=True)
        assert same == stored.conversation(*place, "prover")
