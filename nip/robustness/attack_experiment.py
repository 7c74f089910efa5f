"""Experiments in which fresh provers learn to mislead agents that are frozen."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nip.parameters import HyperParameters
from nip.parameters.agents import DEFAULT_AGENT
from nip.robustness.threats import Threat
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_base.normalization import ObservationNormalizer
from nip.trainers.core.callback import Callback
from nip.trainers.core.components import TrainerComponents
from nip.trainers.core.context import TrainingContext
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from nip.trainers.tensor.rollout_collection import training_collector

ATTACK_TRAINERS = ("vanilla_ppo", "reinforce")
"""Trainers that an attack takes over from the attacked run; otherwise it uses the first."""

# What of the attacked run does not concern an attack on it.
_RESET: Mapping[str, Any] = {
    "base_run": None,
    "callbacks": [],
    "eval_every": None,
    "opponent_pool": None,
    "pretrain_agents": False,
}
_FRESH: Mapping[str, Any] = {
    "load_checkpoint_and_parameters": False,
    "checkpoint_run_id": None,
    "update_schedule": None,
    "use_manual_architecture": False,
}
_FROZEN = {"actor": 0.0, "critic": 0.0}


def attack_parameters(
    attacked: HyperParameters,
    source: tuple[str, int] | None,
    agent_names: Sequence[str],
    threat: Threat,
    *,
    seed: int,
    num_iterations: int,
    changes: Mapping[str, Any],
) -> HyperParameters:
    """Return the experiment of one attack.

    The attackers start from scratch and are paid by their own reward tables alone, without any
    payment for zero knowledge; all other agents are frozen.

    Parameters
    ----------
    attacked : HyperParameters
        Parameters of the run.
    source : tuple of str and int, optional
        Name of the run and iteration of the checkpoint from which the other agents are loaded.
        None: they are not loaded, because their weights will be copied.
    agent_names : sequence of str
        Agents of the protocol.
    threat : Threat
        Who attacks.
    seed : int
        Seed of the attack.
    num_iterations : int
        Iterations of training.
    changes : mapping of str to Any
        Parameters of the attackers that differ from those that they had in the run.
    """
    tree = {**attacked.to_dict(), **_RESET, "seed": seed}
    if attacked.trainer not in ATTACK_TRAINERS:
        tree["trainer"] = ATTACK_TRAINERS[0]
    common = tree["protocol_common"]
    tree["protocol_common"] = {
        **common,
        "shared_reward": False,
        "force_guess": None,
        "prover_reward": abs(common["prover_reward"]) or 1.0,
    }
    tree["zk_protocol"] = {**tree["zk_protocol"], "aux_prover_reward_coefficient": 0.0}
    tree["rl"] = {**tree["rl"], "num_iterations": num_iterations}
    default = attacked.agents[DEFAULT_AGENT].to_dict()
    agents = dict(tree["agents"])
    for name in agent_names:
        own = attacked.agents[name].to_dict()
        if name in threat.attackers:
            network = default if own["is_random"] and not default["is_random"] else own
            if network["is_random"]:
                network = {}
            known = {key: value for key, value in _FRESH.items() if key in network}
            agents[name] = {**network, **known, **changes}
        elif not own["is_random"]:
            agents[name] = {**own, **_loaded_from(source), "agent_lr_factor": _FROZEN}
    return HyperParameters.from_dict({**tree, "agents": agents})


def _loaded_from(source: tuple[str, int] | None) -> dict[str, Any]:
    if source is None:
        return {"load_checkpoint_and_parameters": False, "checkpoint_run_id": None}
    run_id, version = source
    return {
        "load_checkpoint_and_parameters": True,
        "checkpoint_run_id": run_id,
        "checkpoint_version": str(version),
    }


class _Advance(Callback):
    is_observer = True

    def __init__(self, on_iteration: Callable[[], object]) -> None:
        self._on_iteration = on_iteration

    def on_iteration_end(self, context: TrainingContext) -> None:
        self._on_iteration()


def attack_components(
    normalizer: ObservationNormalizer, on_iteration: Callable[[], object]
) -> TrainerComponents:
    """Return components with which observations are scaled as in the attacked run.

    Its agents have learnt to read them so; another experiment would measure other statistics.
    ``on_iteration`` is called after each iteration.
    """
    statistics = {key: value.clone() for key, value in normalizer.state_dict().items()}

    def make_collector(trainer: TensorDictRlTrainer) -> RolloutCollector:
        instance = trainer.scenario_instance
        instance.normalizer.load_state_dict(statistics)
        return training_collector(instance, trainer.hyper_params, with_values=trainer.needs_values)

    return TrainerComponents(data=make_collector, callbacks=[_Advance(on_iteration)])
