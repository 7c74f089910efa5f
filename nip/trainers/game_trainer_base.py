"""Base class of trainers for games with known losses."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

import torch
from tensordict import TensorDict

from nip.parameters import LrSchedulerParameters
from nip.rl_objectives import Objective
from nip.rl_objectives.game_shaping import strategy_of
from nip.scenario_instance import GameInstance
from nip.seeding import stable_seed
from nip.trainers.core.components import COMPONENTS
from nip.trainers.tensor.learning.agent_freezing import choose_learners
from nip.trainers.tensor.learning.learner_building import build_learner
from nip.trainers.tensor.learning.metric_means import mean_over_steps
from nip.trainers.trainer_base import TensorDictTrainer


class GameTrainer(TensorDictTrainer):
    """Makes one update of all players in each iteration, from exact losses or from rollouts.

    A subclass defines the objective in ``_make_objective``.
    """

    data: ClassVar = "game"

    scenario_instance: GameInstance  # type: ignore[assignment]

    exchangeable = tuple(name for name in COMPONENTS if name not in ("loss", "data", "minibatches"))

    @property
    def num_train_iterations(self) -> int:
        """Number of updates."""
        return self.hyper_params.rl.num_iterations

    @property
    def lr_schedule(self) -> LrSchedulerParameters:
        """Parameters of the learning-rate schedule; ``rl.anneal_lr`` stands for a linear one."""
        anneals = self.hyper_params.rl.anneal_lr
        return LrSchedulerParameters(name="linear") if anneals else super().lr_schedule

    def _set_up(self) -> None:
        rl = self.hyper_params.rl
        objective = self._make_objective()
        assert isinstance(objective, Objective)
        self.objective = objective.to(self.device)
        self.learner = build_learner(
            self, self.objective, learning_rate=rl.lr, max_grad_norm=rl.max_grad_norm
        )
        self._stack.callback(self._unfreeze)
        seed = stable_seed(self.hyper_params.seed, "actions", "train")
        self._generator = torch.Generator().manual_seed(seed)

    def _unfreeze(self) -> None:
        """Unfreeze the players that an update schedule has frozen."""
        for parameter in self.learner.learning:
            parameter.requires_grad_(True)

    def _run_iteration(self, iteration: int) -> dict[str, float]:
        """Update the strategies; return the metrics of the update, and of the new strategies."""
        choose_learners(self.agents, iteration, self.learner.learning)
        with self.stage("sample"):
            rollouts = self._sample()
        steps = []
        with self.stage("update"):
            if any(parameter.requires_grad for parameter in self.learner.learning):
                steps.append(self.train_step(rollouts))
            self.learner.finish_iteration()
        return mean_over_steps(steps) | self._strategy_metrics()

    def _sample(self) -> TensorDict:
        """Return rollouts, (rollout, round), or nothing if losses are exact."""
        params, game = self.hyper_params.matrix_games, self.scenario_instance.game
        if params.losses == "exact":
            return TensorDict({})
        strategies = [strategy_of(agent) for _, _, agent in self.agents]
        rollouts = game.sample(strategies, params.num_rollouts, params.num_rounds, self._generator)
        return TensorDict(vars(rollouts), batch_size=rollouts.reward.shape[:2])

    @torch.no_grad()
    def _strategy_metrics(self) -> dict[str, float]:
        strategies = [strategy_of(agent) for _, _, agent in self.agents]
        found = zip(self.agents.names, self.scenario_instance.game.metrics(strategies), strict=True)
        return {
            f"{name}.{metric}": value.item()
            for name, metrics in found
            for metric, value in metrics.items()
        }

    def _evaluate(self, split: str, on_batch: Callable[[], object]) -> dict[str, float]:
        """Return the exact losses and strategies, which depend on no split."""
        metrics = self._strategy_metrics()
        on_batch()
        return metrics

    def _evaluation_names(self) -> Collection[str]:
        return self._strategy_metrics().keys()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that must survive an interruption, nested by name."""
        return {**super().state_dict(), "rollouts": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        super().load_state_dict(state)
        self._generator.set_state(state["rollouts"])
