"""The environment in which agents exchange messages, many episodes side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Binary, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

from nip.parameters import HyperParameters
from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.data import EndlessShuffledOrder, TensorDataset
from nip.scenario_base.normalization import ObservationNormalizer
from nip.seeding import stable_seed

NUM_EPISODE_SEEDS = 2**16
"""Episode seeds are drawn from this many integers."""

State = dict[str, Tensor]


@dataclass(frozen=True)
class Transition:
    """What one step gives back; every tensor leads with the batch of environments."""

    state: State
    """The next observations, before any reset."""

    reward: Float[Tensor, "batch agent"]
    """Reward of each agent."""

    done: Bool[Tensor, " batch"]
    """Whether the episode is over."""

    terminated: Bool[Tensor, " batch"]
    """Whether the episode ran out of rounds without a decision."""

    agent_done: Bool[Tensor, "batch agent"]
    """Whether the protocol is over for each agent; running out of rounds is not in it."""

    verdict: Int[Tensor, " batch"]
    """The decision that counted, 2 where there was none."""


class TensorDictEnvironment(EnvBase):
    """Message exchange over a dataset, as a TorchRL environment.

    The work is done on plain dictionaries of tensors by ``initial_state``, ``advance`` and
    ``reset_finished``; TorchRL's ``reset`` and ``step`` wrap them.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.
    protocol : ProtocolHandler
        Who speaks when, who hears it, and who is paid.
    dataset : TensorDataset
        The questions.
    message_key : str
        Name of the action which chooses a symbol, ``node_selected`` for graph pairs.
    num_environments : int
        Episodes which run side by side, ``B``.
    seed : int
        Seed of the order of the data and of the episode seeds.
    normalizer : ObservationNormalizer
        Scales what the agents read.
    device : torch.device or str
        Where the tensors live.
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
    ) -> None:
        super().__init__(device=torch.device(device), batch_size=torch.Size([num_environments]))
        self.protocol = protocol
        self.tensor_protocol = protocol.make_tensor_protocol(self.device)
        self.dataset = dataset.to(self.device)
        self.message_key = message_key
        self.normalizer = normalizer
        self.num_rounds = protocol.max_message_rounds
        self.num_symbols = int(torch.Size(dataset.message_shape).numel())
        self._hyper_params = hyper_params
        self._message_size = hyper_params.message_size
        self._linear_symbols = (
            hyper_params.d_linear_message_space
            if hyper_params.include_linear_message_space
            else None
        )
        self._rows = torch.arange(num_environments, device=self.device)
        self._state: State = {}
        self._set_seed(seed)
        self._make_specs()

    @property
    def num_environments(self) -> int:
        """Episodes which run side by side, ``B``."""
        return self.batch_size[0]

    def initial_state(self) -> State:
        """Start all episodes on the next datapoints."""
        indices = self._order.draw(self.num_environments)
        return self.state_of(indices.to(self.device), self._draw_seeds(self.num_environments))

    def state_of(self, indices: Tensor, seeds: Tensor) -> State:
        """Return the first observations of episodes on given datapoints.

        Parameters
        ----------
        indices : Tensor
            Rows of the dataset, (batch,).
        seeds : Tensor
            Episode seeds, (batch,).
        """
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
        }
        if self._linear_symbols is not None:
            linear = torch.zeros(
                batch, rounds, *message_shape[:2], self._linear_symbols, device=self.device
            )
            state["linear_message_history"] = self.normalizer("linear_message_history", linear)
            state["linear_message"] = linear[:, 0]
        for name, values in self.dataset.observations.items():
            state[name] = values[indices]
        return state

    def advance(self, state: State, actions: Mapping[str, Tensor]) -> Transition:
        """Play one round in every environment.

        Parameters
        ----------
        state : dict of str to Tensor
            Current observations; left as they are.
        actions : mapping of str to Tensor
            ``decision`` (batch, agent), the message key (batch, agent, channel, position) and,
            where there is a linear message, ``linear_message_selected`` of the same shape.
        """
        round_, seed = state["round"], state["seed"]
        active = self.tensor_protocol.active_mask(round_, seed)
        following = dict(state)
        message = self._written(actions[self.message_key], active, self.num_symbols)
        message = message.view(*message.shape[:3], *self.dataset.message_shape)
        history = state["message_history"].clone()
        history[self._rows, round_] = message
        following["message_history"] = history
        following["x"] = self.normalizer("x", history)
        following["message"] = self.normalizer("message", message)
        if self._linear_symbols is not None:
            linear = self._written(actions["linear_message_selected"], active, self._linear_symbols)
            linear_history = state["linear_message_history"].clone()
            linear_history[self._rows, round_] = self.normalizer("linear_message_history", linear)
            following["linear_message_history"] = linear_history
            following["linear_message"] = linear
        outcome = self.tensor_protocol.step(
            y=state["y"].squeeze(-1),
            round=round_,
            seed=seed,
            decision=actions["decision"],
            done=torch.zeros_like(round_, dtype=torch.bool),
        )
        following["round"] = (round_ + 1).clamp_max(self.num_rounds - 1)
        return Transition(
            state=following,
            reward=outcome.reward,
            done=outcome.done | outcome.terminated,
            terminated=outcome.terminated,
            agent_done=outcome.agent_done,
            verdict=outcome.verdict,
        )

    def reset_finished(self, state: State, done: Tensor) -> State:
        """Start new episodes where the old ones are over, (batch,), and keep the others."""
        finished = done.nonzero().squeeze(-1)
        count = len(finished)
        if count == 0:
            return state
        indices = self._order.draw(count).to(self.device)
        fresh = self.state_of(indices, self._draw_seeds(count))
        return {name: value.index_copy(0, finished, fresh[name]) for name, value in state.items()}

    def random_actions(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw actions uniformly, for fitting the normalizer."""
        agents, channels = self.protocol.num_agents, self.protocol.num_channels
        batch = (self.num_environments, agents)
        symbols = (*batch, channels, self._message_size)
        draw = {
            "decision": torch.randint(3, batch, generator=generator),
            self.message_key: torch.randint(self.num_symbols, symbols, generator=generator),
        }
        if self._linear_symbols is not None:
            draw["linear_message_selected"] = torch.randint(
                self._linear_symbols, symbols, generator=generator
            )
        return {name: value.to(self.device) for name, value in draw.items()}

    def fresh_copy(self, seed: int, num_environments: int | None = None) -> "TensorDictEnvironment":
        """Return the same environments, or so many, at the beginning of another order of the data.

        Parameters
        ----------
        seed : int
            Seed of the order and of the episode seeds.
        num_environments : int, optional
            How many; by default as many as here.
        """
        return TensorDictEnvironment(
            self._hyper_params,
            self.protocol,
            self.dataset,
            message_key=self.message_key,
            num_environments=num_environments or self.num_environments,
            seed=seed,
            normalizer=self.normalizer,
            device=self.device,
        )

    def data_state_dict(self) -> dict[str, Tensor]:
        """Return the position in the data and the state of the episode seeds."""
        state = {f"order.{name}": value for name, value in self._order.state_dict().items()}
        return {**state, "episode_seeds": self._generator.get_state()}

    def load_data_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``data_state_dict`` was taken."""
        prefix = "order."
        self._order.load_state_dict(
            {
                name.removeprefix(prefix): value
                for name, value in state.items()
                if name.startswith(prefix)
            }
        )
        self._generator.set_state(state["episode_seeds"])

    def _written(
        self,
        selected: Int[Tensor, "batch agent channel position"],
        active: Bool[Tensor, "batch agent channel"],
        num_symbols: int,
    ) -> Float[Tensor, "batch channel position symbol"]:
        """Sum the one-hot symbols of the agents that are active on each channel.

        Parameters
        ----------
        selected : Tensor
            Chosen symbols.
        active : Tensor
            Who writes where.
        num_symbols : int
            Number of symbols.
        """
        batch, _, channels, positions = selected.shape
        weights = active.unsqueeze(-1).expand_as(selected).to(torch.get_default_dtype())
        message = weights.new_zeros(batch, channels, positions, num_symbols)
        return message.scatter_add_(
            -1,
            selected.permute(0, 2, 3, 1),
            weights.permute(0, 2, 3, 1),
        )

    def _draw_seeds(self, count: int) -> Tensor:
        seeds = torch.randint(NUM_EPISODE_SEEDS, (count,), generator=self._generator)
        return seeds.to(self.device)

    def _set_seed(self, seed: int | None) -> None:
        seed = 0 if seed is None else seed
        self._order = EndlessShuffledOrder(len(self.dataset), seed)
        self._generator = torch.Generator().manual_seed(stable_seed(seed, "episode seeds"))

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
        example = self.state_of(
            torch.zeros(batch, dtype=torch.long, device=self.device),
            torch.zeros(batch, dtype=torch.long, device=self.device),
        )
        limits = {
            "round": self.num_rounds,
            "seed": NUM_EPISODE_SEEDS,
            "decision_restriction": 3,
            "y": 2,
            "datapoint_id": len(self.dataset),
        }
        self.observation_spec = Composite(
            {name: self._spec_like(value, limits.get(name)) for name, value in example.items()},
            shape=self.batch_size,
        )
        symbols = (batch, agents, self.protocol.num_channels, self._message_size)
        actions = {
            "decision": Categorical(3, shape=(batch, agents), device=self.device),
            self.message_key: Categorical(self.num_symbols, shape=symbols, device=self.device),
        }
        if self._linear_symbols is not None:
            actions["linear_message_selected"] = Categorical(
                self._linear_symbols, shape=symbols, device=self.device
            )
        self.action_spec = self._agents_spec(actions)
        self.reward_spec = self._agents_spec(
            {"reward": Unbounded(shape=(batch, agents), device=self.device)}
        )
        flag = Binary(shape=self.batch_size, dtype=torch.bool, device=self.device)
        agent_flag = Binary(shape=(batch, agents), dtype=torch.bool, device=self.device)
        self.done_spec = Composite(
            done=flag,
            terminated=flag.clone(),
            agents=Composite(done=agent_flag, terminated=agent_flag.clone(), shape=self.batch_size),
            shape=self.batch_size,
        )

    def _agents_spec(self, specs: dict) -> Composite:
        inner = Composite(specs, shape=self.batch_size)
        return Composite(agents=inner, shape=self.batch_size)

    def _spec_like(self, value: Tensor, num_values: int | None) -> Categorical | Unbounded | Binary:
        if num_values is not None:
            return Categorical(num_values, shape=value.shape, dtype=value.dtype, device=self.device)
        if value.dtype == torch.bool:
            return Binary(shape=value.shape, dtype=torch.bool, device=self.device)
        return Unbounded(shape=value.shape, dtype=value.dtype, device=self.device)
