"""Check that the runs of several seeds can train together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nip.errors import ParameterError
from nip.rl_objectives import Objective
from nip.rl_objectives.advantages import RewardToGo, TurnBasedGAE
from nip.scenario_base.agent import AgentOutput
from nip.scenario_base.combined_agents import readable
from nip.scenario_base.stacking.agents import StackedAgents
from nip.scenario_base.stacking.networks import StackingError, stack_modules
from nip.trainers.core.callback import Callback

if TYPE_CHECKING:
    from nip.scenario_base.transition import State
    from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
    from nip.trainers.trainer_base import TensorDictTrainer

_METHODS = (
    "__init__",
    "train",
    "_run_train_loop",
    "_run_iteration",
    "_learn",
    "collect_batch",
    "minibatches",
    "train_step",
    "_make_collector",
    "_default_minibatches",
)
"""Methods of the training loop."""

NUM_TRIED = 4
"""Episodes of each run in which stacked networks are compared with those of the run."""

TOLERANCE = 1e-4
"""Largest difference, relative to 1 or the value, that rounding explains."""


def check_can_train_together(trainers: Sequence[TensorDictTrainer], shared: type) -> None:
    """Raise ``ParameterError`` if trainers that differ in their seeds cannot train together.

    Parameters
    ----------
    trainers : sequence of TensorDictTrainer
        The trainers, before training.
    shared : type
        Their base class, whose training loop all of them must have.
    """
    reason = next(_reasons(trainers, shared), None)
    if reason is not None:
        raise ParameterError(
            f"num_parallel_seeds={len(trainers)} trains the networks of several runs together, "
            f"which is not possible here: {reason}. Use num_parallel_seeds=1, and start one run "
            "for each seed, for example with seed=1,2,3 --multirun."
        )


def _reasons(trainers: Sequence[Any], shared: type) -> Iterator[str]:
    """Yield what stands in the way; what comes later may depend on what was found before."""
    first = trainers[0]
    name = first.hyper_params.trainer
    if not isinstance(first, shared):
        yield f"trainer={name} does not collect and update as vanilla_ppo and reinforce do"
    if first.why_seeds_train_alone is not None:
        yield first.why_seeds_train_alone
    if changed := _changed_methods(type(first), shared):
        yield f"{type(first).__name__} replaces {', '.join(changed)}"
    yield from _reasons_of_parameters(first)
    for callback in first.callbacks:
        if callback.is_unique_in_process:
            yield f"a process can have the callback {type(callback).__name__} only once"
        if any(_overrides(callback, event) for event in ("on_step_start", "on_step_end")):
            yield f"the callback {type(callback).__name__} acts on single steps of one run"
    digests = {each.scenario_instance.train_dataset.fingerprint() for each in trainers}
    if len(digests) > 1:
        yield "the dataset depends on the seed"
    yield from _reasons_of_losses(trainers)
    yield from _reasons_of_networks(trainers)


def _changed_methods(cls: type, shared: type) -> list[str]:
    """Return methods of a training loop that differ from those of the base class."""
    return [name for name in _METHODS if getattr(cls, name) is not getattr(shared, name)]


def _reasons_of_parameters(trainer: TensorDictRlTrainer) -> Iterator[str]:
    params = trainer.hyper_params
    if trainer.agents.fixed_shapes:
        yield "settings.agent_rows or settings.compile let agents be computed on all frames"
    if params.opponent_pool.agents:
        yield "past versions of agents (opponent_pool.agents) play some of the episodes"
    if params.loss_terms or trainer.own_loss_terms:
        yield "there are terms of the loss besides that of the trainer"
    if params.update_step.precision != "float32":
        yield f"update_step.precision={params.update_step.precision} is not float32"
    if (count := params.update_step.num_accumulation_steps) > 1:
        yield f"update_step.num_accumulation_steps={count} is not 1"


def _overrides(callback: Callback, event: str) -> bool:
    return getattr(type(callback), event) is not getattr(Callback, event)


def _reasons_of_losses(trainers: Sequence[TensorDictRlTrainer]) -> Iterator[str]:
    with torch.random.fork_rng(devices=[]):
        pairs = [trainer._make_loss() for trainer in trainers[:2]]
    objective, estimator = pairs[0]
    cls = type(objective)
    definer = next(each for each in cls.__mro__ if "forward" in vars(each))
    # A class that replaces the method of one that takes several runs has to say so itself.
    if not vars(definer).get("takes_several_runs", False) or cls.backward is not Objective.backward:
        yield f"the loss {cls.__name__} takes the frames of one run only"
    if not isinstance(estimator, TurnBasedGAE | RewardToGo | None):
        yield f"the advantages are estimated by {type(estimator).__name__}"
    try:
        agents: dict[nn.Module, nn.Module] = {
            trainers[0].agents: StackedAgents([each.agents for each in trainers])
        }
        stack_modules([each for each, _ in pairs], agents)
    except StackingError as error:
        yield str(error)


def _reasons_of_networks(trainers: Sequence[TensorDictRlTrainer]) -> Iterator[str]:
    """Compare the outputs of stacked networks with those of each run."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        together = StackedAgents([each.agents for each in trainers])
        states = [_some_state(trainer) for trainer in trainers]
        joint = {name: torch.cat([each[name] for each in states]) for name in states[0]}
        for index, name, agent in together:
            agent.train()
            try:
                output = agent(readable(joint))
            except Exception as error:
                yield f"the networks of {name} cannot be stacked ({type(error).__name__}: {error})"
                return
            for run, trainer in enumerate(trainers):
                alone = trainer.agents.agents[trainer.agents.names[index]]
                # Fewer rows at once, because networks that mix rows cannot be stacked either.
                few = {key: value[:-1] for key, value in readable(states[run]).items()}
                first = run * NUM_TRIED
                rows = slice(first, first + NUM_TRIED - 1)
                if not _agree(alone(few), output, rows):
                    yield (
                        f"the networks of {name} mix the rows of a batch, draw random numbers, or "
                        "have weights outside of linear layers"
                    )
                    return


def _some_state(trainer: TensorDictRlTrainer) -> State:
    """Return the second states of some episodes with random actions."""
    environment = trainer.scenario_instance.train_environment.fresh_copy(0, NUM_TRIED)
    actions = environment.random_actions(torch.Generator().manual_seed(0))
    return environment.advance(environment.initial_state(), actions).state


def _agree(alone: AgentOutput, together: AgentOutput, rows: slice) -> bool:
    pairs = (
        (alone.message_logits, together.message_logits),
        (alone.decision_logits, together.decision_logits),
        (alone.linear_message_logits, together.linear_message_logits),
        (alone.value, together.value),
    )
    return all(
        own is None or joint is None or torch.allclose(own, joint[rows], TOLERANCE, TOLERANCE)
        for own, joint in pairs
    )
