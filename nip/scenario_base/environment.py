"""The environment in which agents exchange messages: a batch of parallel episodes."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.envs import EnvBase

from nip.parameters import HyperParameters
from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.agents import NUM_DECISIONS
from nip.scenario_base.data import TensorDataset, row_numbers
from nip.scenario_base.environment_specs import (
    check_actions,
    check_decisions,
    make_action_spec,
    make_done_spec,
    make_observation_spec,
    make_reward_spec,
)
from nip.scenario_base.episode_source import NUM_EPISODE_SEEDS, EpisodeSource
from nip.scenario_base.imitation import imitation_rewards
from nip.scenario_base.normalization import ObservationNormalizer
from nip.scenario_base.transition import State, Transition

Rows = Tensor | np.ndarray | Sequence[int]
"""One integer for each episode, (batch,)."""


class TensorDictEnvironment(EnvBase):
    """Message exchange over a dataset, as a TorchRL environment.

    ``initial_state``, ``state_of``, ``advance`` and ``reset_finished`` work on plain dictionaries
    of tensors, of any number of episodes. TorchRL's ``reset`` and ``step`` wrap them, for ``B``
    episodes.

    Parameters
    ----------
    message_key : str
        Key of the action that chooses the symbols of a message, ``node_selected`` for graph pairs.
    num_environments : int
        Number of parallel episodes, ``B``.
    seed : int
        Seed of the data order and of the episode seeds.
    fixed_shapes : bool
        Whether a step asks nothing of the device, so that it does not wait for an accelerator.
    """

    def __init__(
        self,
        hyper_params: HyperParameters,
        protocol: ProtocolHandler,
        dataset: TensorDataset,
        *,
        message_key: str,
        num_environments: int,
        seed: int,
        normalizer: ObservationNormalizer,
        device: torch.device | str = "cpu",
        fixed_shapes: bool = False,
    ) -> None:
        super().__init__(device=torch.device(device), batch_size=torch.Size([num_environments]))
        self.protocol = protocol
        self.tensor_protocol = protocol.make_tensor_protocol(self.device)
        self.dataset = dataset.to(self.device)
        self.message_key = message_key
        self.normalizer = normalizer
        self.fixed_shapes = fixed_shapes
        self.num_rounds = protocol.max_message_rounds
        self._hyper_params = hyper_params
        self._message_size = hyper_params.message_size
        self._num_action_values = {"decision": 3, message_key: prod(dataset.message_shape)}
        self._linear_symbols: int | None = None
        if hyper_params.include_linear_message_space:
            self._linear_symbols = hyper_params.d_linear_message_space
            self._num_action_values["linear_message_selected"] = self._linear_symbols
        self.imitations = imitation_rewards(protocol, self._num_action_values, self.device)
        self._rows = torch.arange(num_environments, device=self.device)
        self._state: State = {}
        self._set_seed(seed)
        self._make_specs()

    @property
    def num_environments(self) -> int:
        """Number of parallel episodes, ``B``."""
        return self.batch_size[0]

    def initial_state(self, num_episodes: int | None = None) -> State:
        """Start episodes with the next datapoints; None: as many as there are environments."""
        count = self.num_environments if num_episodes is None else num_episodes
        return self._first_state(*self.episodes.draw(count))

    def state_of(self, indices: Rows, seeds: Rows | None = None) -> State:
        """Return the first observations of episodes about given datapoints.

        Parameters
        ----------
        indices : Tensor, array or sequence of int
            Rows of the dataset, (batch,), any number, also repeatedly; or one bool for each row.
        seeds : Tensor, array or sequence of int, optional
            Episode seeds, (batch,), which a protocol such as ``merlin_arthur`` reads. None: 0.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        size = len(self.dataset)
        indices = row_numbers(indices, size).long() % size
        seeds = torch.zeros_like(indices) if seeds is None else torch.as_tensor(seeds).long()
        if indices.ndim != 1 or seeds.shape != indices.shape:
            raise ValueError(
                "indices and seeds must be one-dimensional and of the same length, one entry per "
                f"episode, got the shapes {tuple(indices.shape)} and {tuple(seeds.shape)}."
            )
        return self._first_state(indices, seeds)

    def _first_state(self, indices: Tensor, seeds: Tensor) -> State:
        """Return the first observations of episodes, with those of their datapoints."""
        state = self._blank_state(indices.to(self.device), seeds.to(self.device))
        return {**state, **self.datapoint_observations(state["datapoint_id"])}

    def datapoint_observations(self, indices: Int[Tensor, "*batch"]) -> State:
        """Return the observations of datapoints, (*batch, ...), which no episode changes."""
        return {name: values[indices] for name, values in self.dataset.observations.items()}

    def stored(self, state: Mapping[str, Tensor]) -> State:
        """Return the entries of a state that the others can be computed from, see ``restored``.

        The symbols of messages become numbers of one byte: counts of the agents that chose them.
        """
        derived = {"x", "message", *self.dataset.observations}
        kept = {name: value for name, value in state.items() if name not in derived}
        return {**kept, "message_history": state["message_history"].to(torch.uint8)}

    def restored(self, kept: Mapping[str, Tensor]) -> State:
        """Return the observations that ``stored`` has left out, and those that it has shortened.

        Parameters
        ----------
        kept : mapping of str to Tensor
            What ``stored`` returned, with one batch dimension.
        """
        history, round_ = kept["message_history"].to(torch.get_default_dtype()), kept["round"]
        last = history[self._rows_of(len(round_)), (round_ - 1).clamp_min(0)]
        has_message = (round_ > 0).view(-1, *[1] * (last.ndim - 1))
        return {
            "message_history": history,
            "x": self.normalizer("x", history),
            "message": self.normalizer("message", last * has_message),
            **self.datapoint_observations(kept["datapoint_id"]),
        }

    def _blank_state(self, indices: Tensor, seeds: Tensor) -> State:
        """Return the first observations of episodes, without those of their datapoints."""
        batch, rounds = len(indices), self.num_rounds
        message_shape = (
            self.protocol.num_channels,
            self._message_size,
            *self.dataset.message_shape,
        )
        history = torch.zeros(batch, rounds, *message_shape, device=self.device)
        state = {
            "round": torch.zeros(batch, dtype=torch.long, device=self.device),
            "seed": seeds,
            "decision_restriction": torch.zeros(batch, dtype=torch.int, device=self.device),
            "message_history": history,
            "x": self.normalizer("x", history),
            "message": self.normalizer("message", history[:, 0]),
            "y": self.dataset.y[indices].unsqueeze(-1),
            "datapoint_id": indices,
            "decided": torch.full((batch, self.protocol.num_agents), 2, device=self.device),
        }
        if self._linear_symbols is not None:
            linear = torch.zeros(
                batch, rounds, *message_shape[:2], self._linear_symbols, device=self.device
            )
            state["linear_message_history"] = self.normalizer("linear_message_history", linear)
            state["linear_message"] = linear[:, 0]
        return state

    def advance(self, state: State, actions: Mapping[str, Tensor]) -> Transition:
        """Play one round of each episode, without changing ``state``.

        Parameters
        ----------
        state : dict of str to Tensor
            Observations of episodes that are not over, of any number and in any rounds.
        actions : mapping of str to Tensor
            ``decision`` (batch, agent), the message key (batch, agent, channel, position) and,
            with a linear message space, ``linear_message_selected`` of the same shape. Only the
            entries of agents whose turn it is are read. Rewards for imitation also read
            ``main_message_logits``, ``decision_logits`` and ``linear_message_logits``; without
            them, the chosen actions count as certain.
        """
        round_, seed = state["round"], state["seed"]
        check_actions(actions, self._action_shapes(len(round_)))
        # Elsewhere it would wait for the device in every step.
        if self.device.type == "cpu" and not self.fixed_shapes:
            check_decisions(actions["decision"], self.counting_mask(state))
        rows = self._rows_of(len(round_))
        active = self.active_mask(state)
        following = dict(state)
        num_symbols = self._num_action_values[self.message_key]
        message = _sum_symbols(actions[self.message_key], active, num_symbols)
        message = message.view(*message.shape[:3], *self.dataset.message_shape)
        history = state["message_history"].clone()
        history[rows, round_] = message
        following["message_history"] = history
        following["x"] = self.normalizer("x", history)
        following["message"] = self.normalizer("message", message)
        if self._linear_symbols is not None:
            linear = _sum_symbols(actions["linear_message_selected"], active, self._linear_symbols)
            linear_history = state["linear_message_history"].clone()
            linear_history[rows, round_] = self.normalizer("linear_message_history", linear)
            following["linear_message_history"] = linear_history
            following["linear_message"] = linear
        outcome = self.tensor_protocol.step(
            y=state["y"].squeeze(-1),
            round=round_,
            seed=seed,
            decision=actions["decision"],
            done=torch.zeros_like(round_, dtype=torch.bool),
            decided=state["decided"],
        )
        reward = outcome.reward
        if self.imitations:
            counts = self.counting_mask(state)
            reward = reward + sum(each.rewards(actions, active, counts) for each in self.imitations)
        following["decided"] = outcome.decided
        following["round"] = (round_ + 1).clamp_max(self.num_rounds - 1)
        return Transition(
            state=following,
            reward=reward,
            done=outcome.done | outcome.terminated,
            terminated=outcome.terminated,
            agent_done=outcome.agent_done,
            verdict=outcome.verdict,
        )

    def active_mask(self, state: State) -> Bool[Tensor, "batch agent channel"]:
        """Return which agent writes on which channel in the present round of each episode."""
        return self.tensor_protocol.active_mask(state["round"], state["seed"], state["decided"])

    def counting_mask(self, state: State) -> Bool[Tensor, "batch agent"]:
        """Return whose decision would have an effect in the present round of each episode."""
        return self.tensor_protocol.counting_mask(state["round"], state["seed"], state["decided"])

    def reset_finished(self, state: State, done: Tensor) -> State:
        """Replace the finished episodes, where ``done`` (batch,) is true, by new ones."""
        if self.fixed_shapes:
            return self.with_fresh(state, done, *self.episodes.queue.take(done))
        finished = done.nonzero().squeeze(-1)
        count = len(finished)
        if count == 0:
            return state
        fresh = self.initial_state(count)
        return {name: value.index_copy(0, finished, fresh[name]) for name, value in state.items()}

    def prepare_resets(self, num_steps: int) -> None:
        """Draw the episodes that may begin in some steps; without fixed shapes, do nothing.

        Otherwise the first steps wait for the device to draw them.
        """
        if self.fixed_shapes:
            self.episodes.queue.prepare(num_steps * self.num_environments)

    def with_fresh(self, state: State, done: Tensor, indices: Tensor, seeds: Tensor) -> State:
        """Replace finished episodes by those about the given datapoints, one for each row.

        Parameters
        ----------
        state : dict of str to Tensor
            Observations of any number of episodes.
        done : Tensor
            Whether they are over, (batch,).
        indices, seeds : Tensor
            Datapoints and episode seeds of new episodes, (batch,), read where ``done`` is true.
        """
        fresh = self._blank_state(indices, seeds)
        rows = {name: done.view(-1, *[1] * (value.ndim - 1)) for name, value in fresh.items()}
        merged = {name: torch.where(rows[name], new, state[name]) for name, new in fresh.items()}
        # Gathering all of them takes less than selecting what is new.
        return {**state, **merged, **self.datapoint_observations(merged["datapoint_id"])}

    def random_actions(
        self, generator: torch.Generator, num_episodes: int | None = None
    ) -> dict[str, Tensor]:
        """Draw uniformly random actions; None: for as many episodes as there are environments."""
        shapes = self._action_shapes(num_episodes)
        return {
            name: torch.randint(number, shapes[name], generator=generator).to(self.device)
            for name, number in self._num_action_values.items()
        }

    def fresh_copy(self, seed: int, num_environments: int | None = None) -> "TensorDictEnvironment":
        """Return a copy with another data order and, by default, as many environments."""
        return TensorDictEnvironment(
            self._hyper_params,
            self.protocol,
            self.dataset,
            message_key=self.message_key,
            num_environments=num_environments or self.num_environments,
            seed=seed,
            normalizer=self.normalizer,
            device=self.device,
            fixed_shapes=self.fixed_shapes,
        )

    def data_state_dict(self) -> dict[str, Any]:
        """Return the position in the data and the state of the episode seed generator.

        ``state_dict`` itself is that of ``EnvBase``, which is a module.
        """
        return self.episodes.state_dict()

    def load_data_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by ``data_state_dict``."""
        self.episodes.load_state_dict(state)

    def _set_seed(self, seed: int | None) -> None:
        self.episodes = EpisodeSource(len(self.dataset), seed or 0, self.device)

    def _reset(self, tensordict: TensorDictBase | None = None, **kwargs: object) -> TensorDict:
        mask = None if tensordict is None else tensordict.get("_reset", None)
        if mask is None or not self._state:
            self._state = self.initial_state()
        else:
            self._state = self.reset_finished(self._state, mask.view(self.batch_size))
        no = torch.zeros(self.batch_size, dtype=torch.bool, device=self.device)
        return self._as_tensordict(self._state, no, no, self._per_agent(no))

    def _step(self, tensordict: TensorDictBase) -> TensorDict:
        state = {name: tensordict[name] for name in self.observation_spec.keys()}
        actions = {name: tensordict["agents", name] for name in self.action_spec["agents"].keys()}
        transition = self.advance(state, actions)
        self._state = transition.state
        result = self._as_tensordict(
            transition.state, transition.done, transition.terminated, transition.agent_done
        )
        result["agents", "reward"] = transition.reward
        return result

    def _as_tensordict(
        self, state: State, done: Tensor, terminated: Tensor, agent_done: Tensor
    ) -> TensorDict:
        agents = {"done": agent_done, "terminated": self._per_agent(terminated)}
        return TensorDict(
            {**state, "done": done, "terminated": terminated, "agents": agents},
            batch_size=self.batch_size,
            device=self.device,
        )

    def _per_agent(self, value: Tensor) -> Tensor:
        return value.unsqueeze(-1).expand(-1, self.protocol.num_agents).clone()

    def _make_specs(self) -> None:
        batch, agents = self.num_environments, self.protocol.num_agents
        zeros = torch.zeros(batch, dtype=torch.long, device=self.device)
        self.observation_spec = make_observation_spec(
            self.state_of(zeros, zeros),
            {
                "round": self.num_rounds,
                "seed": NUM_EPISODE_SEEDS,
                "decision_restriction": 3,
                "y": 2,
                "datapoint_id": len(self.dataset),
                "decided": NUM_DECISIONS,
            },
            self.device,
        )
        shapes = self._action_shapes()
        self.action_spec = make_action_spec(self._num_action_values, shapes, self.device)
        self.reward_spec = make_reward_spec(batch, agents, self.device)
        self.done_spec = make_done_spec(batch, agents, self.device)

    def _rows_of(self, batch: int) -> Tensor:
        if batch <= len(self._rows):
            return self._rows[:batch]
        return torch.arange(batch, device=self.device)

    def _action_shapes(self, num_episodes: int | None = None) -> dict[str, tuple[int, ...]]:
        count = self.num_environments if num_episodes is None else num_episodes
        batch = (count, self.protocol.num_agents)
        symbols = (*batch, self.protocol.num_channels, self._message_size)
        return {name: batch if name == "decision" else symbols for name in self._num_action_values}


def _sum_symbols(
    selected: Int[Tensor, "batch agent channel position"],
    active: Bool[Tensor, "batch agent channel"],
    num_symbols: int,
) -> Float[Tensor, "batch channel position symbol"]:
    """Sum the one-hot symbols of the agents that write on each channel."""
    batch, _, channels, positions = selected.shape
    # Entries of agents whose turn it is not may be anything, such as -1.
    selected = selected.where(active.unsqueeze(-1), 0)
    weights = active.unsqueeze(-1).expand_as(selected).to(torch.get_default_dtype())
    message = weights.new_zeros(batch, channels, positions, num_symbols)
    return message.scatter_add_(-1, selected.permute(0, 2, 3, 1), weights.permute(0, 2, 3, 1))
