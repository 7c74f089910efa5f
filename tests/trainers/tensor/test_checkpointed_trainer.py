"""What the base class of checkpointed trainers saves, whatever a subclass does."""

from types import SimpleNamespace

import pytest
import torch

from nip.errors import PluginError
from nip.rl_objectives import Objective
from nip.run_store import Run
from nip.trainers.callbacks import Callback
from nip.trainers.tensor import checkpointed_trainer
from nip.trainers.trainer_base import TensorDictTrainer
from nip.utils.ranks import Ranks
from tests.experiments import make_instance, make_params, make_settings, make_trainer, same_tensors


class Counting(Callback):
    count = 0

    def on_iteration_end(self, context):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class Forgetful(TensorDictTrainer):
    """Draws from a generator of its own, and leaves out super() in both methods."""

    num_train_iterations = 4

    def _set_up(self):
        self.generator = torch.Generator().manual_seed(1)

    def _run_iteration(self, iteration):
        for parameter in self.agents.parameters():
            parameter.data += torch.rand(())
        return {"draw": torch.rand((), generator=self.generator).item()}

    def _evaluate(self, split, on_batch):
        return {}

    def state_dict(self):
        return {"drawing": {"generator": self.generator.get_state()}}

    def load_state_dict(self, state):
        self.generator.set_state(state["drawing"]["generator"])


def train(folder, num_iterations):
    params, settings = make_params(), make_settings(folder)
    with Run.open(settings, "run", params.to_dict()) as run:
        trainer = Forgetful(params, make_instance(params), settings, run)
        counting = Counting()
        trainer.add_callback(counting)
        trainer.setup()
        for _ in range(num_iterations):
            trainer._complete_iteration(trainer._run_iteration, trainer.num_train_iterations)
        trainer.close()
        draws = [value for _, value in trainer.history.values("draw")]
    return trainer, counting, draws


def test_what_is_essential_is_saved_without_super(tmp_path):
    whole, counting, draws = train(tmp_path / "whole", 4)
    train(tmp_path / "parts", 2)
    resumed, counting_again, draws_again = train(tmp_path / "parts", 2)
    assert resumed.context.iteration == 4
    assert draws_again == draws and len(draws) == 4
    assert counting_again.count == counting.count == 4
    assert same_tensors(resumed.agents.state_dict(), whole.agents.state_dict())


def test_the_state_dict_is_nested_by_name():
    trainer = make_trainer(make_params())
    trainer.setup()
    state = trainer.state_dict()
    assert set(state) == {
        *("context", "callbacks", "agents", "normalizer", "generators"),
        *("learner", "collector", "minibatches"),
    }
    assert set(state["learner"]) == {
        *("num_steps", "optimizer", "lr_scheduler", "update_step", "objective"),
    }
    assert torch.equal(state["generators"]["cpu"], torch.get_rng_state())
    trainer.close()


def test_a_state_dict_can_be_loaded_into_another_trainer():
    first, second = make_trainer(make_params()), make_trainer(make_params())
    for trainer in (first, second):
        trainer.setup()
    first.train_iteration()
    second.load_state_dict(first.state_dict())
    expected, found = first.train_iteration(), second.train_iteration()
    assert first.context.iteration == second.context.iteration == 2
    assert found == expected
    assert same_tensors(first.agents.state_dict(), second.agents.state_dict())
    for trainer in (second, first):
        trainer.close()


@pytest.mark.parametrize(
    ("base", "name", "advice"),
    [
        (TensorDictTrainer, "_checkpoint_tensors", "Return its entries from state_dict"),
        (TensorDictTrainer, "_load_checkpoint_state", "load_state_dict"),
        (TensorDictTrainer, "files_of_ranks", "rank_entries"),
        (Objective, "state_for_checkpoint", "register_buffer"),
        (Objective, "figure_names", "metric_names"),
    ],
)
def test_methods_that_were_replaced_are_refused_with_what_to_write(base, name, advice):
    with pytest.raises(PluginError, match=rf"Mine\.{name} is no longer used\..*{advice}"):
        type("Mine", (base,), {name: None})


@pytest.mark.parametrize(
    ("changes", "is_saved"),
    [
        ({}, False),
        ({"is_due": True}, True),
        ({"wants_checkpoint": True}, True),
        ({"stop_reason": "enough"}, True),
        ({"done": 9}, True),
    ],
)
def test_it_saves_when_due_when_asked_when_stopped_and_at_the_end(changes, is_saved):
    trainer = make_trainer(make_params())
    trainer._clock = SimpleNamespace(is_due=lambda done: changes.get("is_due", False))
    trainer.context.wants_checkpoint = changes.get("wants_checkpoint", False)
    trainer.context.stop_reason = changes.get("stop_reason")
    saved = []
    trainer.save_checkpoint = saved.append
    done = changes.get("done", 4)
    trainer.save_checkpoint_if_due(done, total=9)
    assert saved == [done] * is_saved


def test_of_several_ranks_each_gets_its_own_entries_back(monkeypatch):
    """The state that was read has the entries of rank 1 beside those of rank 0."""
    trainer = make_trainer(make_params())
    trainer.setup()
    state = trainer.state_dict()
    own = {"generators": {"cpu": torch.Generator().manual_seed(5).get_state()}}
    loaded = {"iteration": 1, "state": {**state, "rank_1": own}}
    monkeypatch.setattr(checkpointed_trainer, "current_ranks", lambda: Ranks(rank=1))
    monkeypatch.setattr(checkpointed_trainer, "share_state", lambda *_: loaded)
    assert trainer.restore() == trainer.context.iteration == 1
    assert torch.equal(torch.get_rng_state(), own["generators"]["cpu"])
    trainer.close()
