"""Experiments that enable every feature with state that a restart must restore."""

from dataclasses import replace
from typing import Any

from nip.parameters import (
    AgentOptimizerParameters,
    ContiguousPeriodicUpdateSchedule,
    HyperParameters,
    LrFactors,
)
from tests.experiments import make_params, tiny_graph_agent

NUM_PLANNED = 6
"""Iterations that would be run if patience did not end after the fourth."""

SETTINGS = {"max_checkpoints": 1, "permanent_every": 2}
"""Rules under which the first checkpoint is deleted when the second is there."""

PATIENT = {"name": "early_stopping", "patience": 3, "min_delta": 10.0, "save_best": False}
"""Only the first value is an improvement, so that training stops after the fourth."""

REMEMBERING = {"name": "remembering"}
"""The callback of ``forking_child.py``; only there the name is known."""


def everything_on() -> dict[str, dict[str, Any]]:
    """Return the experiments as plain data."""
    made = {
        "everything-ppo": _debate(),
        "everything-reinforce": _half_precision(),
        "everything-solo": _alone(),
    }
    return {name: _remembered(params.to_dict()) for name, params in made.items()}


def _remembered(parameters: dict[str, Any]) -> dict[str, Any]:
    return {**parameters, "callbacks": [*parameters["callbacks"], REMEMBERING]}


def _make(trainer: str, protocol: str, **changes: Any) -> HyperParameters:
    """Return an experiment on graphs with dropout, noise, batch norm and cut-off episodes."""
    rl = {
        "rollouts_per_iteration": 5,
        "steps_per_env_per_iteration": 3,
        "num_iterations": NUM_PLANNED,
        "num_epochs": 1,
        "use_shared_body": False,
    }
    return make_params(
        "graph_isomorphism",
        trainer,
        protocol,
        rl=rl,
        solo_agent={"num_epochs": NUM_PLANNED, "batch_size": 2, "learning_rate": 0.01},
        loss_terms=[{"name": "l2", "weight": 1e-3}, {"name": "proximal", "weight": 0.1}],
        **changes,
    )


def _agent(**changes: Any) -> Any:
    return tiny_graph_agent(transformer_dropout=0.2, noise_sigma=0.1, **changes)


def _debate() -> HyperParameters:
    """Nadam, warm-up by the step, bfloat16, averaged provers, and a verifier that pauses.

    The learning rate rises over two iterations and then falls, so that the third is the best.
    """
    own = AgentOptimizerParameters(lr=0.002, beta1=0.8, weight_decay=0.01)
    pausing = replace(
        _agent(), update_schedule=ContiguousPeriodicUpdateSchedule(3, 0, 2), optimizer=own
    )
    averaged = {"agents": ["prover0", "prover1"], "every": 2, "server_momentum": 0.5}
    return _make(
        "vanilla_ppo",
        "debate",
        agents={"_default": _agent(), "verifier": pausing},
        optimizer={"name": "nadam", "beta2": 0.99},
        # An iteration has 3 minibatches, and so 2 steps.
        update_step={"num_accumulation_steps": 2, "precision": "bfloat16", "max_grad_value": 0.05},
        lr_scheduler={"name": "linear", "interval": "step", "num_warmup": 4},
        eval_every=1,
        callbacks=[
            PATIENT,
            {"name": "best_checkpoint", "monitor": "learning_rate"},
            {"name": "average_agent_weights", **averaged},
            "csv",
            "tensorboard",
            {"name": "rollout_samples", "every": 2, "num_rollouts": 2},
        ],
    )


def _half_precision() -> HyperParameters:
    """SGD whose momentum a single cycle moves, float16, a frozen verifier."""
    frozen = _agent(agent_lr_factor=LrFactors(0.0, 0.0))
    return _make(
        "reinforce",
        "nip",
        agents={"_default": _agent(), "verifier": frozen},
        reinforce={"use_advantage_and_critic": True},
        nip_protocol={"max_message_rounds": 4, "min_message_rounds": 3},
        optimizer={"name": "sgd", "momentum": 0.9, "nesterov": True},
        update_step={"num_accumulation_steps": 2, "precision": "float16"},
        lr_scheduler={"name": "one_cycle", "interval": "step"},
        eval_every=1,
        callbacks=[PATIENT, {"name": "best_checkpoint", "monitor": "learning_rate"}, "csv"],
    )


def _alone() -> HyperParameters:
    """Adam whose betas a single cycle moves, and six rows in three minibatches."""
    loss = {"monitor": "test_prover.loss", "mode": "min"}
    return _make(
        "solo_agent",
        "nip",
        agents={"_default": _agent(), "verifier": _agent(optimizer={"lr": 0.003})},
        optimizer={"name": "adam"},
        update_step={"num_accumulation_steps": 2},
        lr_scheduler={"name": "one_cycle", "interval": "step"},
        eval_every=1,
        callbacks=[{**PATIENT, **loss}, {"name": "best_checkpoint", **loss}, "csv", "tensorboard"],
    )
