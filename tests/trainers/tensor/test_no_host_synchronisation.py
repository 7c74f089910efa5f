"""With fixed shapes, neither a step of the environments nor an update waits for the device."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.native.kernels import native_kernels
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from nip.trainers.tensor.learning.agent_freezing import train_learning_parts
from tests.experiments import make_params
from tests.host_synchronisation import HostSynchronisationError, NoHostSynchronisation

TRAINERS = {
    "ppo": ("vanilla_ppo", {}),
    "ppo_kl": ("vanilla_ppo", {"ppo": {"loss_type": "kl_penalty"}}),
    "reinforce": ("reinforce", {}),
    "reinforce_critic": ("reinforce", {"reinforce": {"use_advantage_and_critic": True}}),
}
NUMBERS = torch.arange(3.0)

WAITS = {
    "item": lambda: NUMBERS[0].item(),
    "tolist": lambda: NUMBERS.tolist(),
    "numpy": lambda: NUMBERS.numpy(),
    "float": lambda: float(NUMBERS.sum()),
    "bool": lambda: bool((NUMBERS > 0).all()),
    "if": lambda: 1 if NUMBERS.sum() > 2 else 0,
    "nonzero": lambda: (NUMBERS > 1).nonzero(),
    "where": lambda: torch.where(NUMBERS > 1),
    "read by a mask": lambda: NUMBERS[NUMBERS > 1],
    "written by a mask": lambda: NUMBERS.clone().__setitem__(NUMBERS > 1, torch.zeros(1)),
    "masked_select": lambda: NUMBERS.masked_select(NUMBERS > 1),
    "unique": lambda: NUMBERS.unique(),
    "equal": lambda: torch.equal(NUMBERS, NUMBERS + 1),
    "another device": lambda: NUMBERS.to("meta"),
    "from the host": lambda: torch.tensor([1.0, 2.0]),
}


@pytest.mark.parametrize("name", WAITS)
def test_the_mode_notices_what_waits(name: str) -> None:
    with NoHostSynchronisation(), pytest.raises(HostSynchronisationError):
        WAITS[name]()


def test_the_mode_allows_what_does_not_wait() -> None:
    with NoHostSynchronisation():
        torch.where(NUMBERS > 1, NUMBERS, 0.0).index_select(0, torch.arange(2)).double()
    assert NUMBERS.tolist() == [0, 1, 2]


@pytest.fixture(autouse=True)
def _no_kernels() -> Iterator[None]:
    """Compute as accelerators do, which have no kernels."""
    with native_kernels(False):
        yield


def fixed_trainer(
    scenario: str, kind: str, data_dir: Path, agent_rows: str = "fixed", **changes: Any
) -> TensorDictRlTrainer:
    """Return a trainer that is ready to iterate."""
    trainer_name, own = TRAINERS[kind]
    params = make_params(scenario, trainer_name, "nip", **own, **changes)
    settings = ExperimentSettings(data_dir=data_dir, progress=False, agent_rows=agent_rows)
    trainer = build_trainer(params, build_scenario_instance(params, settings), settings)
    assert isinstance(trainer, TensorDictRlTrainer)
    trainer.setup()
    return trainer


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [("graph_isomorphism", "ppo"), ("image_classification", "reinforce"), ("toy", "ppo_kl")],
)
def test_a_step_and_an_update_do_not_wait(scenario: str, kind: str, data_dir: Path) -> None:
    trainer = fixed_trainer(scenario, kind, data_dir)
    # Only the first update of a run checks the graph of the loss.
    batch = trainer.collect_batch()
    train_learning_parts(trainer.agents)
    minibatches = trainer.minibatches(batch)
    trainer.train_step(next(minibatches))
    before = [parameter.clone() for parameter in trainer.agents.parameters()]
    with NoHostSynchronisation():
        trainer.train_step(next(minibatches))
    changed = zip(before, trainer.agents.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in changed)
    trainer.agents.eval()
    environment = trainer.collector.environment
    environment.prepare_resets(6)
    with NoHostSynchronisation(), torch.no_grad():
        frames = [trainer.collector._play_step(is_first=step == 0) for step in range(6)]
    # Otherwise no episode would have begun in these steps.
    assert any(frame["next", "done"].any() for frame in frames[:-1])
    trainer.close()


def test_compact_rows_wait_in_both(data_dir: Path) -> None:
    trainer = fixed_trainer("toy", "ppo", data_dir, agent_rows="compact")
    minibatch = next(trainer.minibatches(trainer.collect_batch()))
    trainer.train_step(minibatch)
    with pytest.raises(HostSynchronisationError), NoHostSynchronisation():
        trainer.train_step(minibatch)
    with pytest.raises(HostSynchronisationError), NoHostSynchronisation(), torch.no_grad():
        trainer.collector._play_step(is_first=False)
    trainer.close()
