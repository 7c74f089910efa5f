"""Collection of rollouts: batches of frames, carried over from one batch to the next."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor

from nip.protocols.tensor_protocol import CONTINUE
from nip.scenario_base.actions import Noise
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.environment import TensorDictEnvironment
from nip.scenario_base.transition import State, Transition

Frame = dict[str | tuple[str, ...], Tensor]


class RolloutCollector:
    """Collects batches of frames, and keeps the state of the environments between batches.

    A finished episode is replaced by a new one in the next step. The last episode of each
    environment may be cut off at the end of a batch; it continues in the next batch.

    Parameters
    ----------
    environment : TensorDictEnvironment
        The environments, ``B`` of them.
    agents : CombinedAgents
        The agents that choose the actions.
    num_steps : int
        Steps of each environment in a batch, ``S``.
    seed : int
        Seed of the sampled actions.
    greedy : bool
        Whether the agents take their most probable actions.
    with_values : bool
        Whether to compute the values.
    discount : float, optional
        Discount per step of sampled returns after the end of a batch; None: they are not sampled.
    complete_frames : bool
        Whether frames hold all observations. If not, they hold what ``restored`` of the environment
        computes the others from: ids of datapoints instead of graphs and images, and symbols of one
        byte.
    """

    def __init__(
        self,
        environment: TensorDictEnvironment,
        agents: CombinedAgents,
        *,
        num_steps: int,
        seed: int,
        greedy: bool = False,
        with_values: bool = True,
        discount: float | None = None,
        complete_frames: bool = True,
    ) -> None:
        self.environment = environment
        self.agents = agents
        self.num_steps = num_steps
        self.greedy = greedy
        self.with_values = with_values
        self.discount = discount
        self.complete_frames = complete_frames
        self._generator = torch.Generator(environment.device).manual_seed(seed)
        self._state = environment.initial_state()
        self._episode_reward = self._no_reward()

    @torch.no_grad()
    def collect(self) -> TensorDict:
        """Play ``S`` steps in each of the ``B`` environments.

        Returns
        -------
        batch : TensorDict
            Of batch size (B, S). At its root the observations, or what they are restored from;
            under ``agents`` the actions,
            ``sample_log_prob``, ``value``, the logits, ``active`` (on which channels the agent
            wrote), ``decides`` (whether its decision took effect) and ``value_known`` (whether its
            value was computed); under ``next`` ``done``, ``terminated``, ``verdict`` (the decision
            that took effect) and for each agent ``reward``, ``done``, ``terminated`` and
            ``episode_reward``, the sum since the episode began. With values there is also
            ``bootstrap_value`` under ``agents``: in the last step the value of the following
            state where the episode continues, else 0. With a discount there is also
            ``bootstrap_return``, a sample of what that value estimates: the discounted rewards of
            one continuation of the episode by the same agents, which is not part of any batch.
        """
        self.environment.prepare_resets(self.num_steps)
        frames = [self._play_step(is_first=step == 0) for step in range(self.num_steps)]
        stacked = {key: torch.stack([frame[key] for frame in frames], dim=1) for key in frames[0]}
        if self.with_values:
            bootstrap = torch.zeros_like(stacked["agents", "value"])
            bootstrap[:, -1] = self._bootstrap_value(frames[-1]["next", "done"])
            stacked["agents", "bootstrap_value"] = bootstrap
        if self.discount is not None:
            rest = torch.zeros_like(stacked["next", "agents", "reward"])
            rest[:, -1] = self._sample_return(frames[-1]["next", "done"], self.discount)
            stacked["agents", "bootstrap_return"] = rest
        size = (self.environment.num_environments, self.num_steps)
        batch = TensorDict({}, batch_size=size, device=self.environment.device)
        for key, tensor in stacked.items():
            batch.set(key, tensor)
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Return the state that the next batch depends on, apart from the agents."""
        state = dict(self._state)
        if not bool(_has_left(state).any()):
            # Nothing to save, as always where the first decision ends the episode. Checkpoints of
            # earlier versions have no such entry.
            del state["decided"]
        return {
            "state": state,
            "environment": self.environment.data_state_dict(),
            "episode_reward": self._episode_reward,
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by ``state_dict``."""
        device = self.environment.device
        undecided = torch.full_like(self._state["decided"], CONTINUE)
        stored = {"decided": undecided, **state["state"]}
        self._state = {name: value.to(device) for name, value in stored.items()}
        self.environment.load_data_state_dict(state["environment"])
        self._episode_reward = state["episode_reward"].to(device)
        self._generator.set_state(state["generator"])

    def _play_step(self, *, is_first: bool) -> Frame:
        frame, transition, self._episode_reward = self._compute_frame(
            self._state, self._episode_reward, self._generator, is_first
        )
        self._state = self._reset_finished(transition.state, transition.done)
        self._episode_reward = self._episode_reward * ~transition.done.unsqueeze(-1)
        return frame

    def _compute_frame(
        self,
        state: State,
        episode_reward: Tensor,
        source: torch.Generator | Sequence[Noise],
        is_first: bool | Tensor,
    ) -> tuple[Frame, Transition, Tensor]:
        """Play a step; return its frame, the transition, and the rewards since episodes began."""
        active = self.environment.active_mask(state)
        decides = self.environment.counting_mask(state)
        # If the last batch ended within an episode, its returns were bootstrapped with the values
        # of these states for all agents, active or not, so the critic has to learn them.
        carried_over = (state["round"] > 0) & is_first
        needs_value = carried_over.unsqueeze(-1) & ~_has_left(state)
        needed = needs_value if self.with_values else None
        actions = self._act(state, active, decides, needed, source)
        transition = self.environment.advance(state, actions)
        episode_reward = episode_reward + transition.reward
        masks: Frame = {
            ("agents", "active"): active,
            ("agents", "decides"): decides,
            ("agents", "value_known"): (active.any(-1) | needs_value) & self.with_values,
        }
        frame = self._frame(state, actions, transition, masks, episode_reward)
        return frame, transition, episode_reward

    def _act(
        self,
        state: State,
        active: Tensor,
        decides: Tensor,
        needs_value: Tensor | None,
        source: torch.Generator | Sequence[Noise],
    ) -> dict[str, Tensor]:
        """Choose the actions of all agents; see ``CombinedAgents.act``."""
        return self.agents.act(state, active, decides, needs_value, source, greedy=self.greedy)

    def _reset_finished(self, state: State, done: Tensor) -> State:
        """Replace the finished episodes by new ones."""
        return self.environment.reset_finished(state, done)

    def _frame(
        self,
        state: Mapping[str, Tensor],
        actions: Mapping[str, Tensor],
        transition: Transition,
        masks: Frame,
        episode_reward: Tensor,
    ) -> Frame:
        kept = state if self.complete_frames else self.environment.stored(state)
        observed: Frame = dict(kept.items())
        acted: Frame = {("agents", name): value for name, value in actions.items()}
        return {
            **observed,
            **acted,
            **masks,
            ("next", "done"): transition.done,
            ("next", "terminated"): transition.terminated,
            ("next", "verdict"): transition.verdict,
            ("next", "agents", "reward"): transition.reward,
            ("next", "agents", "done"): transition.agent_done,
            ("next", "agents", "terminated"): transition.terminated.unsqueeze(-1).expand_as(
                transition.agent_done
            ),
            ("next", "agents", "episode_reward"): episode_reward,
        }

    def _bootstrap_value(self, done: Tensor) -> Tensor:
        return self.agents.values(self._state, ~done.unsqueeze(-1) & ~_has_left(self._state))

    def _sample_return(self, done: Tensor, discount: float) -> Tensor:
        """Play the unfinished episodes to their end; return their discounted rewards, (B, agent).

        The environments themselves stay where they are.
        """
        if self.agents.fixed_shapes:
            return self._sample_return_of_all(~done, discount)
        result, weight = self._no_reward(), 1.0
        rows = (~done).nonzero().squeeze(-1)
        state = {name: value[rows] for name, value in self._state.items()}
        while len(rows) > 0:
            active = self.environment.active_mask(state)
            decides = self.environment.counting_mask(state)
            actions = self._act(state, active, decides, None, self._generator)
            transition = self.environment.advance(state, actions)
            result.index_add_(0, rows, weight * transition.reward)
            weight *= discount
            rows = rows[~transition.done]
            state = {name: value[~transition.done] for name, value in transition.state.items()}
        return result

    def _sample_return_of_all(self, is_running: Tensor, discount: float) -> Tensor:
        """Play as many rounds as an episode has at most, and count those that are not over."""
        result, weight, state = self._no_reward(), 1.0, self._state
        for _ in range(self.environment.protocol.num_episode_rounds):
            running = is_running.unsqueeze(-1)
            active = self.environment.active_mask(state) & running.unsqueeze(-1)
            decides = self.environment.counting_mask(state) & running
            actions = self._act(state, active, decides, None, self._generator)
            transition = self.environment.advance(state, actions)
            result = result + weight * transition.reward * running
            weight *= discount
            is_running = is_running & ~transition.done
            state = transition.state
        return result

    def _no_reward(self) -> Tensor:
        return torch.zeros(
            self.environment.num_environments,
            self.environment.protocol.num_agents,
            device=self.environment.device,
        )


def _has_left(state: Mapping[str, Tensor]) -> Tensor:
    """Return which agents have decided in an episode that goes on without them, (B, agent)."""
    return state["decided"] != CONTINUE
