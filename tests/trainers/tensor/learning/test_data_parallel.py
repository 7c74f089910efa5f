"""What ranks exchange, with the other ranks played by the test."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from tensordict import TensorDict

from nip.run_store import RunHistory
from nip.trainers.tensor.learning.data_parallel import (
    gather_state,
    joint_batch,
    own_rows,
    seed_parts,
    share_history,
    share_state,
)
from nip.utils.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Meeting(Ranks):
    """One of two ranks, which exchange what they give through a common list."""

    size: int = 2
    given: ClassVar[list] = []

    def gather(self, tensors):
        self.given.append({name: tensor.clone() for name, tensor in tensors.items()})
        return list(self.given)

    def share(self, tensors):
        if self.is_first:
            self.given.append(dict(tensors))
        return self.given[-1]

    def share_text(self, text):
        if self.is_first:
            self.given.append(text)
        return self.given[-1]


def meeting() -> tuple[Ranks, Ranks]:
    Meeting.given.clear()
    return Meeting(0), Meeting(1)


def test_seeds_differ_between_ranks_and_are_the_plain_ones_of_a_lone_process():
    assert seed_parts(ALONE) == ()
    assert seed_parts(Ranks(0, 2)) != seed_parts(Ranks(1, 2))


def test_each_rank_finds_its_rows_of_the_joint_batch():
    rows = torch.tensor([5, 0, 3, 4])
    assert own_rows(rows, 3, Ranks(0, 2)).tolist() == [0]
    assert own_rows(rows, 3, Ranks(1, 2)).tolist() == [2, 0, 1]
    assert own_rows(rows, 6, ALONE).tolist() == [5, 0, 3, 4]


def test_the_joint_batch_has_the_environments_of_the_ranks_in_their_order():
    def batch(first):
        numbers = torch.tensor([[first, first + 1]])
        nested = {"agents": {"value": numbers * 10}, "round": numbers}
        return TensorDict(nested, batch_size=[1, 2])

    _, second = meeting()
    given = {"agents/value": torch.tensor([[10, 20]]), "round": torch.tensor([[1, 2]])}
    Meeting.given.append(given)
    joint = joint_batch(batch(3), second)
    assert joint.batch_size == (2, 2)
    assert joint["round"].tolist() == [[1, 2], [3, 4]]
    assert joint["agents", "value"].tolist() == [[10, 20], [30, 40]]
    assert joint_batch(batch(1), ALONE)["round"].tolist() == [[1, 2]]


def test_the_first_rank_gathers_the_entries_in_which_the_others_differ():
    def state(number):
        tensor = torch.tensor([number])
        return {
            "agents": {"body": {"weight": torch.tensor([0])}},
            "collector": {"state": {"round": tensor}, "num_batches": number, "share": 1 / 3},
        }

    own = ("generators", "collector")
    first, second = meeting()
    gather_state(state(7), own, first)
    gathered = gather_state(state(8), own, second)
    # Both have given by now; what the second rank sees is what the first would see.
    assert gathered["rank_1"] == {"collector": state(8)["collector"]}
    assert set(gathered) == {"agents", "collector", "rank_1"}
    assert all("agents.body/weight" not in tensors for tensors in Meeting.given)
    assert gather_state(state(7), own, ALONE) == state(7)


def test_all_ranks_get_the_state_that_the_first_has_read():
    state = {"iteration": 3, "state": {"a": {"x": torch.tensor([1.5])}, "note": [1, None]}}
    first, second = meeting()
    assert share_state(state, first) == state
    assert share_state(None, second) == state
    first, second = meeting()
    assert share_state(None, first) is None
    assert share_state(None, second) is None
    assert share_state(state, ALONE) == state


def test_all_ranks_get_the_history_of_the_first():
    stored, empty = RunHistory(), RunHistory()
    stored.update(1, {"loss": 1 / 3})
    stored.update(2, {"loss": 0.25, "accuracy": 1.0})
    first, second = meeting()
    share_history(stored, first)
    share_history(empty, second)
    assert empty.to_dict() == stored.to_dict()
