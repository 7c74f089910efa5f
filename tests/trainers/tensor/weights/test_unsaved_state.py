"""State of a trainer that its checkpoints lack is pointed out."""

import re
import warnings

import pytest
import torch
from torch import nn

from nip.run import run_experiment
from tests.experiments import make_params, make_settings
from tests.trainers.own_loops import RestoringTrain
from tests.trainers.probing_trainer import register


class Forgetful(RestoringTrain):
    """Restores, but keeps an optimizer, a generator and a module of its own to itself."""

    kept = ("optimizer", "generator", "critic")

    def train(self):
        self.critic = nn.Linear(1, 1)
        self.reference = nn.Linear(1, 1)
        self.idle = torch.Generator().manual_seed(1)
        self.generators = {"noise": torch.Generator().manual_seed(1)}
        self.optimizer = torch.optim.Adam(self.agents.parameters())
        super().train()

    def move(self):
        noise = torch.randn((), generator=self.generators["noise"])
        loss = sum((weight * noise).square().sum() for weight in self.agents.parameters())
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.critic.weight.add_(1.0)

    def own(self):
        return {
            "optimizer": self.optimizer,
            "generator": self.generators["noise"],
            "critic": self.critic,
        }

    def state_dict(self):
        moments = {"state": dict(enumerate(self.optimizer.state_dict()["state"].values()))}
        states = {
            "optimizer": {str(n): each for n, each in moments["state"].items()},
            "generator": self.generators["noise"].get_state(),
            "critic": self.critic.state_dict(),
        }
        return {**super().state_dict(), **{name: states[name] for name in self.kept}}


def run(tmp_path, kept, **settings):
    forget = register("forgetful", type("Given", (Forgetful,), {"kept": kept}))
    try:
        params = make_params(trainer="forgetful", rl={"num_iterations": 3})
        run_experiment(params, run_id="r", settings=make_settings(tmp_path, **settings))
    finally:
        forget()


@pytest.mark.parametrize(
    ("missing", "name"),
    [
        ("optimizer", r"self\.optimizer"),
        ("generator", r"self\.generators\['noise'\]"),
        ("critic", r"self\.critic"),
    ],
)
def test_it_is_named_once(tmp_path, missing, name):
    kept = tuple(each for each in Forgetful.kept if each != missing)
    with pytest.warns(UserWarning, match="Checkpoints lack") as issued:
        run(tmp_path, kept)
    messages = [str(each.message) for each in issued if "Checkpoints lack" in str(each.message)]
    assert len(messages) == 1
    assert re.match(rf"Checkpoints lack the state of {name}, so that .* of Given, and", messages[0])


def test_nothing_is_said_of_what_is_saved_or_does_not_change(tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Checkpoints lack")
        run(tmp_path, Forgetful.kept)


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "reinforce", "solo_agent"])
def test_built_in_trainers_save_all_of_their_state(tmp_path, trainer):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Checkpoints lack")
        run_experiment(make_params(trainer=trainer), run_id="r", settings=make_settings(tmp_path))
