"""Objective of opponent-aware learning in games with known losses."""

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.rl_objectives.advantages import reward_to_go
from nip.rl_objectives.opponent_shaping.exact_game import ExactGame
from nip.rl_objectives.opponent_shaping.game import DifferentiableGame
from nip.rl_objectives.opponent_shaping.inverse_hessian.methods import InverseHessian
from nip.rl_objectives.opponent_shaping.rule import ShapingRule
from nip.rl_objectives.opponent_shaping.sampled_game import SampledActions, SampledGame
from nip.rl_objectives.spg import METRICS, ShapingObjective, along, shaping_metrics
from nip.scenario_base.agent import Agent
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.game import Game, GameRollouts


class GameObjective(ShapingObjective):
    """Opponent-aware gradients of a game, from its exact losses or from rollouts.

    The players' policy heads hold their strategies as ``strategy``.

    Parameters
    ----------
    game : Game
        The game.
    discount : float
        Discount per round of rollouts.
    """

    def __init__(
        self,
        agents: CombinedAgents,
        rule: ShapingRule,
        inverse_hessian: InverseHessian,
        *,
        game: Game,
        discount: float,
    ) -> None:
        super().__init__(agents, rule, inverse_hessian)
        self._game = game
        self._discount = discount

    def metric_names(self) -> list[str]:
        """Return the names of the losses and of the metrics of each player."""
        own = [f"{name}.{each}" for name in self.agents.names for each in METRICS]
        return ["loss_objective", "shaping_weight", *own]

    def forward(self, tensordict: TensorDictBase) -> TensorDict:
        """Return ``loss_objective`` and metrics per player.

        Parameters
        ----------
        tensordict : TensorDictBase
            The entries of ``GameRollouts``, of batch size (rollout, round); without entries the
            losses are exact.
        """
        strategies = {name: strategy_of(agent) for _, name, agent in self.agents}
        learning = {name: each for name, each in strategies.items() if each.requires_grad}
        loss = zero = torch.zeros((), device=self._generator_state.device)
        if not learning:
            return TensorDict({"loss_objective": loss})
        if tensordict.is_empty():
            values = self._game.losses(list(strategies.values()))
            losses = dict(zip(strategies, values, strict=True))
            game: DifferentiableGame = ExactGame({n: (s,) for n, s in learning.items()}, losses)
        else:
            rollouts = GameRollouts(**{name: tensordict[name] for name in tensordict.keys()})
            sampled = sampled_game(strategies, learning, rollouts, self._discount)
            losses = {name: sampled.loss(name, name) for name in learning}
            game = sampled
        corrections = self.corrections(game)
        metrics = shaping_metrics(corrections, learning, zero)
        for name, strategy in learning.items():
            metrics[f"{name}.loss_objective"] = losses[name]
            # The gradient of a loss in the strategies of others is none of its direction.
            direction = along((strategy,), corrections.direction(game, name))
            loss = loss + losses[name].detach() + direction
        detached = {name: value.detach() for name, value in metrics.items()}
        return TensorDict({"loss_objective": loss, **detached})


def strategy_of(agent: Agent) -> Tensor:
    """Return the parameters of a player."""
    assert agent.policy_head is not None
    strategy = agent.policy_head.strategy
    assert isinstance(strategy, Tensor)
    return strategy


def sampled_game(
    strategies: dict[str, Tensor],
    learning: dict[str, Tensor],
    rollouts: GameRollouts,
    discount: float,
) -> SampledGame:
    r"""Return a game that is estimated from rollouts of the present strategies.

    The advantage of a player in round :math:`t` is :math:`\gamma^t (G_t - b)`, with the discounted
    rewards :math:`G_t` from then on and their mean :math:`b` over all rounds in the same situation,
    so that losses are discounted sums from the first round.
    """
    num_rollouts, num_rounds, _ = rollouts.reward.shape
    done = torch.zeros(num_rollouts, num_rounds, dtype=torch.bool)
    done[:, -1] = True
    weights = discount ** torch.arange(num_rounds, dtype=rollouts.reward.dtype)
    returns = reward_to_go(rollouts.reward, done, discount)
    players, advantages = {}, {}
    for index, (name, strategy) in enumerate(strategies.items()):
        situation = rollouts.situation[..., index]
        baseline = _means_by_group(returns[..., index], situation, weights)
        advantages[name] = (weights * (returns[..., index] - baseline)).to(strategy)
        if name in learning:
            logits = strategy[situation.to(strategy.device)]
            action = rollouts.action[..., index].to(logits)
            log_prob = -torch.nn.functional.binary_cross_entropy_with_logits(
                logits, 1 - action, reduction="none"
            )
            players[name] = SampledActions(
                parameters=(strategy,),
                ratio=(log_prob - log_prob.detach()).exp(),
                takes_turn=torch.ones_like(log_prob),
                num_turns=torch.tensor(float(num_rollouts)).to(log_prob),
                regularizer=torch.zeros_like(log_prob[0, 0]),
            )
    done = done.to(next(iter(learning.values())).device)
    return SampledGame(players, advantages, done, discount=1.0)


def _means_by_group(values: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """Return, for each entry, the weighted mean of the entries of its group."""
    weights = weights.expand_as(values)
    zeros = values.new_zeros(int(groups.max()) + 1)
    sums = zeros.index_add(0, groups.flatten(), (weights * values).flatten())
    totals = zeros.index_add(0, groups.flatten(), weights.flatten())
    return (sums / totals.clamp_min(1e-30))[groups]
