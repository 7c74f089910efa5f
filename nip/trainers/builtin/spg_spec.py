"""Spec and parameters of the trainer ``spg``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from nip.parameters import SubParameters, UnusedOptionRule, register_parameter_class
from nip.parameters.fields.outside_names import PLAIN_TEXT
from nip.parameters.specs import register_trainer_spec
from nip.parameters.types import Count, Positive, UnitInterval
from nip.trainers.base_specs import RL_TRAINER


@register_parameter_class
@dataclass
class SpgParameters(SubParameters):
    """Learning that takes into account how other agents will learn."""

    variant: Literal["spg", "pspg", "lola", "pola", "sos", "psos", "lookahead", "naive"] = "psos"
    """Gradient rule; those with a p clip probability ratios as PPO does."""

    anticipation: Literal["sequence", "mutual"] = "sequence"
    """Whose learning an agent anticipates: of later groups of the sequence, or of all others."""

    stackelberg_sequence: Annotated[tuple[tuple[str, ...], ...] | None, PLAIN_TEXT] = None
    """Groups of agents, leaders first, each agent once; None: the verifiers, then all others."""

    lookahead_lr: Positive | None = None
    """Learning rate that others are taken to have; None: their own (not spg, pspg)."""

    additional_lola_term: bool = True
    """Evaluate the own loss where the others will be, the second term of LOLA (lola, pola)."""

    sos_scaling_factor: UnitInterval = 0.5
    """Factor ``a`` of stable opponent shaping: how far shaping may turn the look-ahead gradient."""

    sos_threshold_factor: UnitInterval = 0.1
    """Factor ``b`` of stable opponent shaping: norm of the gradient below which shaping fades."""

    mixed_derivative: Literal["episodes", "mean_scores"] = "episodes"
    """Estimate of mixed derivatives: over pairs of actions in an episode, or of means of scores."""

    follower_curvature: Literal["hessian", "fisher"] = "hessian"
    """Curvature of a follower's loss: its Hessian, or its Fisher information (with entropy)."""

    ihvp_variant: Literal["nystrom", "conj_grad", "neumann"] = "nystrom"
    """Method for inverse-Hessian products (spg, pspg)."""

    ihvp_num_iterations: Count = 5
    """Iterations of ``conj_grad``, or terms of the series of ``neumann``."""

    ihvp_rank: Count = 5
    """Number of rows of the Hessian from which ``nystrom`` approximates it."""

    ihvp_rho: Positive = 0.1
    """Damping of the Hessian."""

    ihvp_num_updates_per_sketch: Count = 10
    """Updates for which the rows of ``nystrom`` are kept; at most to the end of an iteration."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("anticipation", "stackelberg_sequence", "mixed_derivative"),
            "with spg.variant='naive', which anticipates nobody",
            lambda spg, _: spg.variant == "naive",
        ),
        UnusedOptionRule(
            ("stackelberg_sequence",),
            "unless spg.anticipation='sequence'",
            lambda spg, _: spg.anticipation == "mutual",
        ),
        UnusedOptionRule(
            ("lookahead_lr",),
            "unless spg.variant is a variant with steps of others",
            lambda spg, _: spg.variant in ("spg", "pspg", "naive"),
        ),
        UnusedOptionRule(
            ("additional_lola_term",),
            "unless spg.variant is 'lola' or 'pola'",
            lambda spg, _: spg.variant not in ("lola", "pola"),
        ),
        UnusedOptionRule(
            ("sos_scaling_factor", "sos_threshold_factor"),
            "unless spg.variant is 'sos' or 'psos'",
            lambda spg, _: spg.variant not in ("sos", "psos"),
        ),
        UnusedOptionRule(
            (
                "follower_curvature",
                "ihvp_variant",
                "ihvp_num_iterations",
                "ihvp_rank",
                "ihvp_rho",
                "ihvp_num_updates_per_sketch",
            ),
            "unless spg.variant is 'spg' or 'pspg'",
            lambda spg, _: spg.variant not in ("spg", "pspg"),
        ),
        UnusedOptionRule(
            ("ihvp_num_iterations",),
            "unless spg.ihvp_variant is 'conj_grad' or 'neumann'",
            lambda spg, _: spg.ihvp_variant == "nystrom",
        ),
        UnusedOptionRule(
            ("ihvp_rank", "ihvp_num_updates_per_sketch"),
            "unless spg.ihvp_variant='nystrom'",
            lambda spg, _: spg.ihvp_variant != "nystrom",
        ),
    )


register_trainer_spec(
    "spg",
    RL_TRAINER.extended(
        reads=("ppo",),
        also_learns=("game",),
        ignores=(
            "ppo.loss_type",
            "ppo.kl_target",
            "ppo.kl_beta",
            "ppo.kl_decrement",
            "ppo.kl_increment",
        ),
    ),
    parameters=SpgParameters,
)
