"""Attack on the verifier of a training that is under way."""

import warnings
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from nip.errors import NipWarning
from nip.experiment.tensor_parts import build_tensor_instance
from nip.parameters.robustness import AttackParameters
from nip.robustness.attack_experiment import attack_components, attack_parameters
from nip.robustness.best_answers import SearchTooLargeError
from nip.robustness.measurement import Measurement, Shares, copy_other_agents
from nip.robustness.threats import Threat, threats_of
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer

ACCURACY, BEST = "attack_accuracy", "attack_best_answers_accuracy"
"""Accuracy on both labels against the strongest attacks, and against the best answers too."""


class TrainingAttack:
    """Trains provers against copies of the agents of a trainer, and measures the verifier.

    Agents, generators and files of the trainer are not touched. Only the weights at the time of the
    attack and the seed of the run determine the result.

    Parameters
    ----------
    trainer : TensorDictRlTrainer
        The training under way.
    params : AttackParameters
        How to attack.
    """

    def __init__(self, trainer: TensorDictRlTrainer, params: AttackParameters) -> None:
        self._trainer, self._params = trainer, params
        self._attacked = trainer.hyper_params
        self._settings = replace(trainer.settings, progress=False)
        self.too_large: str | None = None

    @cached_property
    def threats(self) -> tuple[Threat, ...]:
        """Who attacks; a ``ParameterError`` if nobody gains from a wrong decision."""
        return threats_of(self._trainer.protocol_handler)

    def metrics(self) -> dict[str, float]:
        """Attack the verifier as it is now, and return what it keeps of its accuracy."""
        instance = self._trainer.scenario_instance
        every = range(self._trainer.protocol_handler.num_variants)
        weakest = [self._measured(instance).shares(label, every) for label in (0, 1)]
        for threat in self.threats:
            attacks = [self._attack(threat, index) for index in range(self._params.num_seeds)]
            weakest[threat.label] = np.minimum.reduce([weakest[threat.label], *attacks])
        metrics = {
            f"attack_{threat.name}": float(weakest[threat.label].mean()) for threat in self.threats
        }
        metrics[ACCURACY] = float(np.concatenate(weakest).mean())
        if self._params.search and self.too_large is None:
            try:
                for threat in self.threats:
                    found = self._best_answers(threat)
                    weakest[threat.label] = np.minimum(weakest[threat.label], found)
                metrics[BEST] = float(np.concatenate(weakest).mean())
            except SearchTooLargeError as error:
                self.too_large = str(error)
        return metrics

    def metric_names(self) -> list[str]:
        """Return the names of all metrics of ``metrics``."""
        names = [ACCURACY, *(f"attack_{threat.name}" for threat in self.threats)]
        return [*names, BEST] if self._params.search else names

    def _attack(self, threat: Threat, index: int) -> Shares:
        """Train the attackers of a threat; return the shares of right decisions against them."""
        seed = stable_seed(self._attacked.seed, "attack in training", index)
        trainer = self._attacker(threat, seed)
        trainer.setup()
        try:
            for iteration in range(self._params.num_iterations):
                # Without evaluations, checkpoints and signals, which are those of the training.
                trainer._run_iteration(iteration)
                trainer.context.iteration += 1
        finally:
            trainer.close()
        return self._measured(trainer.scenario_instance).shares(threat.label, threat.variants)

    def _best_answers(self, threat: Threat) -> Shares:
        instance = self._attacker(threat, self._attacked.seed).scenario_instance
        return self._measured(instance).best_answers(threat, max_states=self._params.max_states)

    def _attacker(self, threat: Threat, seed: int) -> TensorDictRlTrainer:
        """Build a trainer of fresh attackers against copies of all other agents."""
        source = self._trainer.scenario_instance
        with warnings.catch_warnings():
            # What has no effect in an attack was chosen for the training.
            warnings.simplefilter("ignore", NipWarning)
            params = attack_parameters(
                self._attacked,
                None,
                source.protocol_handler.agent_names,
                threat,
                seed=seed,
                num_iterations=self._params.num_iterations,
                changes={},
            ).with_changes({"rl.normalize_observations": False})
            datasets = source.train_dataset, source.test_dataset
            instance = build_tensor_instance(params, self._settings, datasets=datasets)
            copy_other_agents(source, instance, threat)
            components = attack_components(source.normalizer, lambda: None)
            trainer: Any = build_trainer(params, instance, self._settings, components=components)
        assert isinstance(trainer, TensorDictRlTrainer), trainer
        return trainer

    def _measured(self, instance: TensorDictScenarioInstance) -> Measurement:
        params = self._params
        return Measurement(
            instance,
            seed=self._attacked.seed,
            greedy=self._attacked.rl.greedy_test,
            num_repeats=params.num_repeats,
            max_datapoints=params.max_datapoints,
        )
