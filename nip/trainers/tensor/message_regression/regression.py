"""Message regression: how well the label can be predicted from an agent's first message.

In each evaluation a network is trained for each agent on a part of the messages that it sent, and
tested on the others. Agents and training are not influenced.
"""

from collections.abc import Mapping
from typing import Any

import torch
from tensordict import TensorDictBase
from torch import Tensor

from nip.errors import ParameterError, unknown_name
from nip.parameters import HyperParameters
from nip.scenario_base.data import TensorDataset
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.tensor.message_regression.probes import Probe, fit_probe
from nip.trainers.tensor.message_regression.sent_messages import first_messages

METRICS = ("message_regression_accuracy", "message_regression_baseline")
"""Metrics of each agent: of the network, and of always predicting the most frequent class."""

LABEL = "y"
"""Name of the label as a target."""


class MessageRegression:
    """The message regression of an experiment.

    Parameters
    ----------
    hyper_params : HyperParameters
        Parameters of the experiment.
    instance : TensorDictScenarioInstance
        Its built parts.
    """

    def __init__(self, hyper_params: HyperParameters, instance: TensorDictScenarioInstance) -> None:
        self.params = hyper_params.message_regression
        self.agent_names = agents_to_read(hyper_params, instance)
        self._instance = instance
        self._seed = hyper_params.seed
        self._num_classes = 2
        if self.params.target != LABEL:
            splits = (instance.train_dataset, instance.test_dataset)
            self._num_classes = 1 + max(
                int(classes_of(dataset, self.params.target).max()) for dataset in splits
            )
        self._probes: dict[str, Probe] = {}
        self._stored: dict[str, Mapping[str, Tensor]] = {}

    def metrics(self, frames: TensorDictBase, split: str) -> dict[str, float]:
        """Fit a network for each agent on played frames, (frame,), and return how well it predicts.

        An agent without messages to learn from, or to test on, has no metrics.
        """
        result: dict[str, float] = {}
        for agent in self.agent_names:
            found = self._accuracies(frames, split, agent)
            if found is not None:
                result |= {f"{agent}.{name}": v for name, v in zip(METRICS, found, strict=True)}
        return result

    def state_dict(self) -> dict[str, Any]:
        """Return the weights that the next evaluation starts from, by agent."""
        return self._stored | {agent: each.state_dict() for agent, each in self._probes.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self._stored = dict(state)
        self._probes = {}

    def _accuracies(
        self, frames: TensorDictBase, split: str, agent: str
    ) -> tuple[float, float] | None:
        instance, params = self._instance, self.params
        messages = first_messages(
            frames, instance.protocol_handler, agent, instance.scenario.message_key
        )
        num_tested = int(len(messages) * params.test_size)
        if num_tested == 0 or num_tested == len(messages):
            return None
        generator = torch.Generator().manual_seed(stable_seed(self._seed, "regression", agent))
        order = torch.randperm(len(messages), generator=generator).to(messages.y.device)
        tested, learnt = order[:num_tested], order[num_tested:]
        target = messages.y.long()
        if params.target != LABEL:
            dataset = instance.test_dataset if split == "test" else instance.train_dataset
            target = classes_of(dataset, params.target).to(target.device)[messages.datapoint_id]
        planes, linear = messages.planes, messages.linear
        probe = self._probe(agent, planes.shape[1], linear.shape[1]).to(planes.device)
        fit_probe(probe, planes[learnt], linear[learnt], target[learnt], params, generator)
        with torch.no_grad():
            predicted = probe(planes[tested], linear[tested]).argmax(-1)
        most_frequent = target[learnt].bincount().argmax()
        return (
            float((predicted == target[tested]).double().mean()),
            float((most_frequent == target[tested]).double().mean()),
        )

    def _probe(self, agent: str, num_planes: int, num_linear: int) -> Probe:
        if agent in self._probes:
            return self._probes[agent]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stable_seed(self._seed, "probe", agent))
            grid = self._instance.train_dataset.message_shape
            probe = Probe(self.params, num_planes, grid, num_linear, self._num_classes)
        if agent in self._stored:
            probe.load_state_dict(self._stored[agent])
        if not self.params.reset_on_fit:
            self._probes[agent] = probe
        return probe


def agents_to_read(
    hyper_params: HyperParameters, instance: TensorDictScenarioInstance
) -> tuple[str, ...]:
    """Return the names of the agents whose messages are read."""
    chosen = hyper_params.message_regression.agents
    names = instance.protocol_handler.agent_names
    return names if chosen is None else tuple(name for name in names if name in chosen)


def classes_of(dataset: TensorDataset, target: str) -> Tensor:
    """Return the class of each datapoint, (datapoint,), by a one-hot observation.

    Datapoints whose observation is 0 everywhere have a class of their own.

    Raises
    ------
    ParameterError
        If there is no such observation, or it is not one-hot.
    """
    name = "message_regression.target"
    if target not in dataset.observations:
        known = [LABEL, *dataset.observations]
        raise ParameterError(f"{name}={target!r}: {unknown_name('target', target, known)}")
    values = dataset.observations[target]
    is_one_hot = values.ndim == 2 and bool(
        ((values == 0) | (values == 1)).all() and (values.sum(-1) <= 1).all()
    )
    if not is_one_hot:
        raise ParameterError(
            f"{name} must be {LABEL!r} or a one-hot observation, one number for each class, got "
            f"{target!r} of the shape {tuple(values.shape[1:])} per question. Choose another."
        )
    num_classes = values.shape[1]
    return torch.where(values.any(-1), values.long().argmax(-1), num_classes)
