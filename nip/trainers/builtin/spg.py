"""Trainer: opponent-aware policy gradients, such as Stackelberg policy gradients, LOLA and SOS."""

import torch
from torchrl.objectives import ValueEstimators

from nip.errors import ParameterError, did_you_mean
from nip.parameters import AgentParameters, HyperParameters
from nip.parameters.types import DataType
from nip.protocols.handler import ProtocolHandler
from nip.rl_objectives.game_shaping import GameObjective
from nip.rl_objectives.opponent_shaping.inverse_hessian.methods import InverseHessian
from nip.rl_objectives.opponent_shaping.rule import VARIANTS, Groups, ShapingRule
from nip.rl_objectives.opponent_shaping.sos import StableShaping
from nip.rl_objectives.outcome_advantages import OutcomeAdvantages
from nip.rl_objectives.spg import SpgObjective
from nip.seeding import stable_seed
from nip.trainers.core.trainer import Trainer
from nip.trainers.game_trainer_base import GameTrainer
from nip.trainers.registry import register_trainer
from nip.trainers.rl_tensordict_base import AdvantageEstimator, TensorDictRlTrainer
from nip.trainers.tensor.learning.minibatches import EpisodeMinibatches, Minibatches


@register_trainer("spg")
class SpgTrainer(TensorDictRlTrainer):
    """Trains agents by policy gradients that take the learning of the other agents into account."""

    why_seeds_train_alone = "the losses of trainer=spg contain the steps of the other agents"

    @classmethod
    def for_data(cls, data: DataType) -> type[Trainer]:
        """Return the trainer of games for scenarios of games."""
        return SpgGameTrainer if data == SpgGameTrainer.data else cls

    def check(self) -> None:
        """Check the Stackelberg sequence and the curvature of followers too."""
        super().check()
        stackelberg_groups(self.hyper_params, self.protocol_handler)
        check_curvature(self.hyper_params)
        if self.hyper_params.opponent_pool.agents:
            raise ParameterError(
                "opponent_pool.agents: trainer='spg' anticipates how the agents that play an "
                "episode will learn, and past versions do not. Leave it out, or train with "
                "vanilla_ppo or reinforce."
            )
        if self.settings.compile != "off":
            raise ParameterError(
                f"settings.compile={self.settings.compile!r}: the updates of trainer='spg' "
                "differentiate twice, which cannot be compiled as one graph. Set "
                "settings.compile=off, or train with vanilla_ppo or reinforce."
            )

    def _get_loss_module_and_gae(self) -> tuple[SpgObjective, AdvantageEstimator]:
        params = self.hyper_params
        rl, ppo, spg = params.rl, params.ppo, params.spg
        is_flag = isinstance(rl.clip_value, bool)
        loss_module = SpgObjective(
            self.agents,
            *build_rule(params, self.protocol_handler),
            num_steps=self.scenario_instance.batch_shape.num_steps,
            discount=rl.gamma,
            mixed_derivative=spg.mixed_derivative,
            clip_epsilon=ppo.clip_epsilon,
            entropy_eps=ppo.entropy_eps,
            critic_coef=ppo.critic_coef,
            normalize_advantage=ppo.normalize_advantage,
            critic_loss_type=rl.loss_critic_type,
            critic_clip=(ppo.clip_epsilon if rl.clip_value else None) if is_flag else rl.clip_value,
            uses_fisher=spg.follower_curvature == "fisher",
        )
        loss_module.make_value_estimator(ValueEstimators.GAE, gamma=rl.gamma, lmbda=rl.lmbda)
        return loss_module, OutcomeAdvantages(loss_module.value_estimator)

    def _default_minibatches(self) -> Minibatches:
        rl, shape = self.hyper_params.rl, self.scenario_instance.batch_shape
        return EpisodeMinibatches(
            rl.minibatch_size,
            stable_seed(self.hyper_params.seed, "minibatches"),
            num_environments=shape.num_environments,
            num_steps=shape.num_steps,
            num_epochs=rl.num_epochs,
        )


class SpgGameTrainer(GameTrainer):
    """Trains the players of a game by the same gradient rules."""

    def check(self) -> None:
        """Check the Stackelberg sequence too."""
        super().check()
        stackelberg_groups(self.hyper_params, self.protocol_handler)

    def _make_objective(self) -> GameObjective:
        return GameObjective(
            self.agents,
            *build_rule(self.hyper_params, self.protocol_handler),
            game=self.scenario_instance.game,
            discount=self.hyper_params.rl.gamma,
        )


def build_rule(
    hyper_params: HyperParameters, protocol: ProtocolHandler
) -> tuple[ShapingRule, InverseHessian]:
    """Return the gradient rule of an experiment, and its inverse-Hessian products."""
    spg = hyper_params.spg
    seed = stable_seed(hyper_params.seed, "rows of the Hessian")
    inverse_hessian = InverseHessian(
        variant=spg.ihvp_variant,
        rho=spg.ihvp_rho,
        num_iterations=spg.ihvp_num_iterations,
        rank=spg.ihvp_rank,
        generator=torch.Generator().manual_seed(seed),
        num_updates_per_sketch=spg.ihvp_num_updates_per_sketch,
    )
    is_mutual = spg.anticipation == "mutual"
    rule = ShapingRule(
        variant=spg.variant,
        groups=None if is_mutual else stackelberg_groups(hyper_params, protocol),
        step_sizes={name: _lookahead_lr(hyper_params, name) for name in protocol.agent_names},
        inverse_product=inverse_hessian.product,
        has_lookahead=spg.additional_lola_term,
        stable=StableShaping(spg.sos_scaling_factor, spg.sos_threshold_factor),
    )
    return rule, inverse_hessian


def stackelberg_groups(hyper_params: HyperParameters, protocol: ProtocolHandler) -> Groups:
    """Return the Stackelberg sequence of an experiment, leaders first.

    Raises
    ------
    ParameterError
        If it does not name every agent of the protocol exactly once.
    """
    groups = hyper_params.spg.stackelberg_sequence
    if groups is None:
        return protocol.stackelberg_sequence
    known = protocol.agent_names
    example = [list(group) for group in protocol.stackelberg_sequence]
    given = [name for group in groups for name in group]
    problems = [
        f"{name!r}, which is no agent of {hyper_params.interaction_protocol!r}"
        f"{suggestion and f' ({suggestion})'}"
        for name in dict.fromkeys(given)
        if name not in known
        for suggestion in [did_you_mean(name, sorted(known)).strip()]
    ]
    problems += [f"{name!r} {given.count(name)} times" for name in known if given.count(name) > 1]
    missing = [name for name in known if name not in given]
    if problems or missing or not all(groups):
        got = [*problems, *(["no " + " and no ".join(map(repr, missing))] if missing else [])]
        got += ["an empty group"] * (not all(groups))
        raise ParameterError(
            "spg.stackelberg_sequence must name every agent exactly once, in groups that are not "
            f"empty, leaders first; got {', and '.join(got)}. Write for example "
            f"spg.stackelberg_sequence={str(example).replace(chr(39), '')}, or leave it out."
        )
    return groups


def check_curvature(hyper_params: HyperParameters) -> None:
    """Require an entropy bonus for the Fisher information.

    Raises
    ------
    ParameterError
        If ``ppo.entropy_eps`` is 0: the curvature of followers would be 0.
    """
    spg, entropy_eps = hyper_params.spg, hyper_params.ppo.entropy_eps
    responds = VARIANTS[spg.variant].best_responds
    if responds and spg.follower_curvature == "fisher" and entropy_eps == 0:
        raise ParameterError(
            "spg.follower_curvature='fisher' needs ppo.entropy_eps above 0, got 0: the curvature "
            "is that times the Fisher information. Set ppo.entropy_eps, or "
            "spg.follower_curvature=hessian."
        )


def _lookahead_lr(hyper_params: HyperParameters, name: str) -> float:
    """Return the learning rate that others take an agent to have."""
    if hyper_params.spg.lookahead_lr is not None:
        return hyper_params.spg.lookahead_lr
    agent = hyper_params.agents[name]
    if not isinstance(agent, AgentParameters):
        return 0.0
    rate = hyper_params.rl.lr if agent.optimizer.lr is None else agent.optimizer.lr
    return rate * agent.agent_lr_factor.actor
