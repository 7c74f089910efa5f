"""Options of optimizer, schedule, evaluation and loaded agents that change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nip.parameters.checks.unused_option_rule import UnusedAgentOptionRule, UnusedOptionRule

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters

RL_TRAINERS = ("reinforce", "vanilla_ppo")

WITH_BETAS = ("adam", "adamw", "radam", "nadam")

OPTIMIZERS_OF_OPTIONS: dict[str, tuple[str, ...]] = {
    "beta1": WITH_BETAS,
    "beta2": WITH_BETAS,
    "eps": (*WITH_BETAS, "rmsprop", "adagrad"),
    "momentum": ("sgd", "rmsprop"),
    "alpha": ("rmsprop",),
    "nesterov": ("sgd",),
}
"""Optimizers that know an option; what is not listed, all know."""

OPTIMIZER_OPTIONS_OF_AGENTS = ("beta1", "beta2", "eps", "momentum")

SCHEDULES_OF_OPTIONS: dict[str, tuple[str, ...]] = {
    "total": ("linear", "cosine", "polynomial", "one_cycle"),
    "end_factor": ("linear",),
    "eta_min": ("cosine",),
    "gamma": ("exponential", "step", "multistep"),
    "step_size": ("step",),
    "milestones": ("multistep",),
    "power": ("polynomial",),
    "pct_start": ("one_cycle",),
    "div_factor": ("one_cycle",),
    "final_div_factor": ("one_cycle",),
}
"""Schedules that know an option; what is not listed, all know."""


def _unless_named(group: str, names: tuple[str, ...]) -> str:
    return f"unless {group}.name is {' or '.join(map(repr, names))}"


def _needs_name(group: str, option: str, names: tuple[str, ...]) -> UnusedOptionRule:
    return UnusedOptionRule(
        (f"{group}.{option}",),
        _unless_named(group, names),
        lambda hyper_params: hyper_params.get(group).name not in names,
    )


def _agent_needs_name(option: str) -> UnusedAgentOptionRule:
    names = OPTIMIZERS_OF_OPTIONS[option]
    return UnusedAgentOptionRule(
        (f"optimizer.{option}",),
        _unless_named("optimizer", names),
        lambda hyper_params, _: hyper_params.optimizer.name not in names,
    )


def _cycles_beta1(hyper_params: HyperParameters) -> bool:
    is_cycle = hyper_params.lr_scheduler.name == "one_cycle"
    return is_cycle and hyper_params.optimizer.name in WITH_BETAS


BECAUSE_OF_THE_CYCLE = (
    "with lr_scheduler.name='one_cycle', which moves it from 0.95 to 0.85 and back"
)


def _has_no_course(hyper_params: HyperParameters) -> bool:
    schedule = hyper_params.lr_scheduler
    return schedule.name == "constant" and schedule.num_warmup == 0


def _ends_before_an_evaluation(hyper_params: HyperParameters) -> bool:
    period, trainer = hyper_params.eval_every, hyper_params.trainer
    if period is None or trainer not in (*RL_TRAINERS, "solo_agent"):
        return False
    is_rl = trainer in RL_TRAINERS
    total = hyper_params.rl.num_iterations if is_rl else hyper_params.solo_agent.num_epochs
    return period > total


TRAINING_RULES = (
    UnusedOptionRule(
        ("lr_scheduler",),
        "with rl.anneal_lr=True, which is a whole schedule",
        lambda hyper_params: hyper_params.rl.anneal_lr and hyper_params.trainer in RL_TRAINERS,
    ),
    *(_needs_name("optimizer", option, names) for option, names in OPTIMIZERS_OF_OPTIONS.items()),
    *(_needs_name("lr_scheduler", option, names) for option, names in SCHEDULES_OF_OPTIONS.items()),
    UnusedOptionRule(("optimizer.beta1",), BECAUSE_OF_THE_CYCLE, _cycles_beta1),
    UnusedOptionRule(
        ("lr_scheduler.warmup_start_factor",),
        "unless lr_scheduler.num_warmup is above 0",
        lambda hyper_params: hyper_params.lr_scheduler.num_warmup == 0,
    ),
    UnusedOptionRule(
        ("lr_scheduler.interval",),
        "unless lr_scheduler.name or lr_scheduler.num_warmup gives the rate a course",
        _has_no_course,
    ),
    UnusedOptionRule(
        ("eval_every",), "with fewer iterations than that", _ends_before_an_evaluation
    ),
)

TRAINING_RULES_OF_AGENTS = (
    *map(_agent_needs_name, OPTIMIZER_OPTIONS_OF_AGENTS),
    UnusedAgentOptionRule(
        ("optimizer.beta1",),
        BECAUSE_OF_THE_CYCLE,
        lambda hyper_params, _: _cycles_beta1(hyper_params),
    ),
    UnusedAgentOptionRule(
        ("checkpoint_run_id", "checkpoint_version", "checkpoint_project", "checkpoint_entity"),
        "unless load_checkpoint_and_parameters=True",
        lambda _, agent: not agent.load_checkpoint_and_parameters,
    ),
    UnusedAgentOptionRule(
        ("checkpoint_entity",),
        "unless checkpoint_project names a project",
        lambda _, agent: agent.checkpoint_project is None,
    ),
)
