"""Objective of opponent-aware learning: Stackelberg policy gradients, LOLA, SOS and others."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Bool, Float
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn

from nip.errors import ParameterError
from nip.rl_objectives.objective import MIN_ADVANTAGE_STD, AgentFrames, Objective
from nip.rl_objectives.opponent_shaping.game import DifferentiableGame
from nip.rl_objectives.opponent_shaping.inverse_hessian.methods import InverseHessian
from nip.rl_objectives.opponent_shaping.rule import Corrections, ShapingRule
from nip.rl_objectives.opponent_shaping.sampled_game import (
    MixedDerivative,
    SampledActions,
    SampledGame,
)
from nip.rl_objectives.ppo import CriticLoss, critic_loss
from nip.scenario_base.agent import Agent
from nip.scenario_base.combined_agents import CombinedAgents
from nip.utils.ranks import current_ranks

METRICS = ("loss_objective", "shaping_norm", "lookahead_norm")
"""Metrics of each player."""


class ShapingObjective(Objective):
    """Base class of objectives whose gradients come from a ``ShapingRule``.

    What the rule subtracts from the gradients becomes part of the gradient of one loss, see
    ``along``, so that clipping, accumulation, loss scaling and additional loss terms work as for
    any other loss.

    Parameters
    ----------
    rule : ShapingRule
        The gradient rule.
    inverse_hessian : InverseHessian
        Its inverse-Hessian products.
    """

    _generator_state: Tensor

    def __init__(
        self, agents: CombinedAgents, rule: ShapingRule, inverse_hessian: InverseHessian
    ) -> None:
        super().__init__(agents)
        self.rule = rule
        self._inverse_hessian = inverse_hessian
        self.register_buffer("_generator_state", inverse_hessian.generator.get_state())

    def corrections(self, game: DifferentiableGame) -> Corrections:
        """Return what is subtracted from the gradients of the players' own losses."""
        self._inverse_hessian.begin_update()
        return self.rule.corrections(game)

    def finish_iteration(self) -> None:
        """Keep the state of the generator for the checkpoint."""
        self._inverse_hessian.forget()
        self._generator_state.copy_(self._inverse_hessian.generator.get_state())

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._inverse_hessian.generator.set_state(self._generator_state.cpu())


class _Along(torch.autograd.Function):
    """A scalar with a given gradient, without an operation for each parameter."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, parts: tuple[Tensor, ...], *_parameters: Tensor) -> Tensor:
        """Return a copy of ``value``."""
        ctx.parts = parts
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Return the parts of the direction, times the gradient of the scalar."""
        return None, None, *torch._foreach_mul(ctx.parts, grads[0])


def along(parameters: tuple[Tensor, ...], direction: Float[Tensor, " d"]) -> Float[Tensor, ""]:
    """Return a scalar that is 0 and has the gradient ``direction``, which is flat."""
    parts = direction.split([each.numel() for each in parameters])
    shaped = tuple(part.view_as(each) for part, each in zip(parts, parameters, strict=True))
    result: Tensor = _Along.apply(direction.new_zeros(()), shaped, *parameters)
    return result


def actor_parameters(agent: Agent) -> tuple[nn.Parameter, ...]:
    """Return the parameters of an agent that its policy depends on and that learn now."""
    return tuple(
        parameter
        for part in agent.parts()
        if part.role == "actor" and part.name != "solo_head"
        for parameter in part.parameters
        if parameter.requires_grad
    )


def shaping_metrics(
    corrections: Corrections, names: Iterable[str], zero: Float[Tensor, ""]
) -> dict[str, Tensor]:
    """Return the norms of the terms of each player, and the weight of the shaping terms.

    They are on the device of ``zero``, which is the norm of a term that a player does not have.
    """
    metrics = {"shaping_weight": zero + corrections.shaping_weight}
    for name in names:
        for kind, terms in (
            ("shaping_norm", corrections.shaping),
            ("lookahead_norm", corrections.lookahead),
        ):
            metrics[f"{name}.{kind}"] = terms[name].norm() if name in terms else zero
    return metrics


class SpgObjective(ShapingObjective):
    """Opponent-aware policy gradients from episodes, with critics.

    The gradient rule combines the policy gradients and the entropy bonus, which is part of each
    agent's own loss. The critics' losses are added on top.

    Minibatches have to consist of all steps of some environments, in their order.

    Parameters
    ----------
    num_steps : int
        Steps of each environment in a minibatch.
    discount : float
        Discount per step.
    mixed_derivative : str
        Estimator of mixed second derivatives.
    clip_epsilon : float
        Clipping range of the variants that clip.
    entropy_eps : float
        Weight of the entropy bonus.
    critic_coef : float
        Weight of the critics' losses.
    normalize_advantage : bool
        Whether advantages are normalised in each minibatch.
    critic_loss_type : str
        Loss of the critics.
    critic_clip : float, optional
        Limit of ``critic_loss``.
    uses_fisher : bool
        Whether ``entropy_eps`` times the Fisher information stands for the Hessian of a follower.
    """

    def __init__(
        self,
        agents: CombinedAgents,
        rule: ShapingRule,
        inverse_hessian: InverseHessian,
        *,
        num_steps: int,
        discount: float,
        mixed_derivative: MixedDerivative,
        clip_epsilon: float,
        entropy_eps: float,
        critic_coef: float,
        normalize_advantage: bool,
        critic_loss_type: CriticLoss,
        critic_clip: float | None = None,
        uses_fisher: bool = False,
    ) -> None:
        super().__init__(agents, rule, inverse_hessian)
        self._fisher_weight = entropy_eps if uses_fisher else None
        self._num_steps = num_steps
        self._discount = discount
        self._mixed_derivative: MixedDerivative = mixed_derivative
        self._clip_epsilon = clip_epsilon if rule.traits.is_clipped else None
        self._entropy_eps = entropy_eps
        self._critic_coef = critic_coef
        self._normalizes = normalize_advantage
        self._critic_loss_type = critic_loss_type
        self._critic_clip = critic_clip
        self._has_checked_frames = False

    def metric_names(self) -> list[str]:
        """Return the names of the losses and of the metrics of each agent."""
        own = [f"{name}.{each}" for name in self.agents.names for each in (*METRICS, "loss_critic")]
        return ["loss_objective", "loss_critic", "shaping_weight", *own]

    def forward(self, tensordict: TensorDictBase) -> TensorDict:
        """Return ``loss_objective``, ``loss_critic`` and metrics per agent."""
        self._check_frames(tensordict)
        zero = torch.zeros((), device=self._generator_state.device)
        frames = list(self.learning_frames(tensordict, with_critic=True))
        players = {each.name: self._player(each, len(tensordict)) for each in frames}
        players = {name: each for name, each in players.items() if each.parameters}
        losses, metrics = {"loss_objective": zero, "loss_critic": zero}, {}
        for each in frames:
            critic = critic_loss(each, self._critic_loss_type, self._critic_clip)
            losses["loss_critic"] = losses["loss_critic"] + self._critic_coef * critic
            metrics[f"{each.name}.loss_critic"] = critic
        if players:
            game = self._game(tensordict, players)
            corrections = self.corrections(game)
            metrics |= shaping_metrics(corrections, players, zero)
            for name, player in players.items():
                value = game.loss(name, name) + player.regularizer
                metrics[f"{name}.loss_objective"] = value
                losses["loss_objective"] = losses["loss_objective"] + value
                correction = corrections.of(name)
                if correction is not None:
                    part = along(player.parameters, -correction)
                    losses["loss_objective"] = losses["loss_objective"] + part
        return TensorDict(losses | {name: value.detach() for name, value in metrics.items()})

    def _player(self, frames: AgentFrames, num_frames: int) -> SampledActions:
        log_prob, entropy = frames.log_prob_and_entropy()
        log_ratio = (log_prob - frames.take("sample_log_prob")) * frames.takes_turn
        blank = torch.zeros(num_frames, dtype=log_ratio.dtype, device=log_ratio.device)
        shape = (-1, self._num_steps)
        agent = self.agents.agents[frames.name]
        assert isinstance(agent, Agent)
        return SampledActions(
            parameters=actor_parameters(agent),
            ratio=blank.index_put((frames.rows,), log_ratio).view(shape).exp(),
            takes_turn=blank.index_put((frames.rows,), frames.takes_turn).view(shape),
            num_turns=frames.num_turns,
            regularizer=-self._entropy_eps * frames.policy_mean(entropy),
        )

    def _game(self, minibatch: TensorDictBase, players: dict[str, SampledActions]) -> SampledGame:
        played, shape = minibatch["agents"], (-1, self._num_steps)
        advantage, known = played["outcome_advantage"], played["value_known"]
        if self._normalizes:
            advantage = normalized_outcomes(advantage, known)
        return SampledGame(
            players,
            {name: advantage[:, index].view(shape) for index, name in enumerate(self.agents.names)},
            played["ends_episode"].view(shape),
            self._discount,
            self._clip_epsilon,
            self._mixed_derivative,
            self._fisher_weight,
        )

    def _check_frames(self, minibatch: TensorDictBase) -> None:
        """Require whole rows of environments, once."""
        if self._has_checked_frames:
            return
        frame = minibatch["agents", "frame"]
        steps = torch.arange(self._num_steps, device=frame.device)
        if len(frame) % self._num_steps or bool(
            (frame.view(-1, self._num_steps) % self._num_steps != steps).any()
        ):
            raise ParameterError(
                f"Opponent shaping needs minibatches of all {self._num_steps} steps of some "
                f"environments, in their order, got {len(frame)} frames in another order. Use "
                "nip.trainers.tensor.learning.minibatches.EpisodeMinibatches."
            )
        self._has_checked_frames = True


def normalized_outcomes(
    advantage: Float[Tensor, "frame agent"], known: Bool[Tensor, "frame agent"]
) -> Float[Tensor, "frame agent"]:
    """Normalise the outcome advantages of each agent over all frames on all ranks.

    The mean is subtracted separately at turns of the agent and at those of others, which have
    different baselines. The standard deviation is that of all frames, so that all derivatives of an
    agent's loss are scaled alike. An advantage that is the only one of its kind stays as it is.
    """
    ranks = current_ranks()
    kinds = torch.stack((known, ~known)).to(advantage.dtype)
    sums = ranks.sum_(torch.stack((kinds.sum(1), (kinds * advantage).sum(1))))
    counts, totals = sums.unbind(0)
    means = torch.where(counts > 1, totals / counts.clamp_min(1.0), 0.0)
    centred = advantage - torch.where(known, means[0], means[1])
    # Equal advantages become 0, whatever their rounding errors.
    centred = torch.where(centred.abs() > 1e-6 * advantage.abs(), centred, 0.0)
    squares = ranks.sum_((centred**2).sum(0))
    std = (squares / counts.sum(0).clamp_min(1.0)).sqrt()
    return centred / std.clamp_min(MIN_ADVANTAGE_STD)
