"""Steps and updates on another device than the CPU, PyTorch's ``meta``.

Its tensors have no values, so that reading one fails.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from nip.experiment import tensor_parts
from nip.experiment_settings import ExperimentSettings
from nip.scenario_base import combined_agents, environment
from nip.scenario_base.actions import Noise
from nip.scenario_base.episode_queue import EpisodeQueue
from nip.scenario_base.registry import scenario_registry
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from nip.trainers.tensor.learning.agent_freezing import train_learning_parts
from tests.experiments import make_params
from tests.host_synchronisation import HostSynchronisationError, NoHostSynchronisation
from tests.trainers.tensor.test_no_host_synchronisation import TRAINERS


def noise_without_values(*logits: torch.Tensor | None) -> Noise:
    """Stand for ``draw_noise``: there are no generators for this device."""
    *shapes, _ = logits
    return Noise(
        *(None if each is None else torch.empty_like(each, device="meta") for each in shapes)
    )


def prepare_without_reading(queue: EpisodeQueue, count: int) -> None:
    """Draw all episodes anew, because the position has no value."""
    queue.episodes = torch.stack(queue._draw(count)).to("meta")
    queue._num_sure = count


class TorchWithGenerators:
    """The module ``torch``, with generators for every device."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    @staticmethod
    def Generator(device: Any = "cpu") -> torch.Generator:
        return torch.Generator()


@pytest.fixture
def _meta() -> Iterator[None]:
    """Leave out what reads values before the first step, and what ``meta`` does not have."""
    with (
        patch.object(environment, "row_numbers", lambda rows, size: torch.as_tensor(rows)),
        patch.object(combined_agents, "draw_noise", noise_without_values),
        patch("nip.scenario_base.actions.draw_noise", noise_without_values),
        patch("nip.scenario_base.collector.torch", TorchWithGenerators()),
        patch.object(EpisodeQueue, "prepare", prepare_without_reading),
        patch("torch.optim.adam._device_dtype_check_for_fused", lambda *_, **__: None),
    ):
        yield


def build_on_meta(scenario: str, kind: str, data_dir: Path) -> TensorDictRlTrainer:
    trainer_name, own = TRAINERS[kind]
    params = make_params(scenario, trainer_name, "nip", rl={"normalize_observations": False}, **own)
    settings = ExperimentSettings(data_dir=data_dir, progress=False, device="cuda")
    object.__setattr__(settings, "device", "meta")
    parts = scenario_registry[scenario](params, settings)
    datasets = parts.load_dataset("train"), parts.load_dataset("test")
    instance = tensor_parts.build_tensor_instance(params, settings, datasets=datasets)
    trainer = build_trainer(params, instance, settings)
    assert isinstance(trainer, TensorDictRlTrainer)
    assert trainer.agents.fixed_shapes
    trainer._set_up()
    trainer._minibatches = trainer._make_minibatches()
    return trainer


@pytest.mark.parametrize(
    "mixed",
    [
        lambda here, there: there + here,
        lambda here, there: there.index_select(0, here.long()),
        lambda here, there: torch.cat((here, there)),
        lambda here, there: torch.where(here > 0, there, 0.0),
    ],
)
def test_the_device_does_not_mix_with_the_cpu(mixed: Any) -> None:
    with NoHostSynchronisation(), pytest.raises(HostSynchronisationError):
        mixed(torch.zeros(2), torch.zeros(2, device="meta"))


@pytest.mark.usefixtures("_meta")
@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("graph_isomorphism", "ppo"),
        ("graph_isomorphism", "reinforce_critic"),
        ("image_classification", "ppo"),
        ("toy", "ppo_kl"),
        ("toy", "reinforce"),
    ],
)
def test_all_tensors_are_on_the_device(scenario: str, kind: str, data_dir: Path) -> None:
    trainer = build_on_meta(scenario, kind, data_dir)
    trainer.agents.eval()
    trainer.collector.environment.prepare_resets(3)
    with NoHostSynchronisation(), torch.no_grad():
        frames = [trainer.collector._play_step(is_first=step == 0) for step in range(3)]
    assert {each.device.type for frame in frames for each in frame.values()} == {"meta"}
    batch = trainer.collect_batch()
    train_learning_parts(trainer.agents)
    minibatches = trainer.minibatches(batch)
    trainer.train_step(next(minibatches))
    with NoHostSynchronisation():
        metrics = trainer.train_step(next(minibatches))
    assert {each.device.type for each in metrics.values()} == {"meta"}
