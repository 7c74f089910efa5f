"""What each of two ranks does in ``test_data_parallel.py``."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from nip.factory import build_scenario_instance
from nip.parameters import HyperParameters
from nip.run import run_experiment
from nip.run_store import Run
from nip.run_store.report import learning_curve
from nip.scenario_base.registry import scenario_registry
from nip.trainers.callbacks import Callback, TrainingContext
from nip.trainers.core.components import TrainerComponents
from nip.trainers.registry import build_trainer, trainer_registry
from nip.utils.ranks import connected_ranks
from tests.end_to_end.forking_child import die_at_call
from tests.experiments import make_settings
from tests.trainers.probing_trainer import ProbingTrainer, register

# Whatever is imported now, the forks need not import.
trainer_registry.names()
scenario_registry.names()
# Pictures are drawn in other tests.
learning_curve.draw_learning_curve = lambda *_: None


def one_iteration(job: dict[str, Any]) -> dict[str, float]:
    """Run an iteration; keep the batch and the weights of this rank, and return the metrics."""
    settings = make_settings(Path(job["folder"]), job["data_dir"])
    hyper_params = HyperParameters.from_dict(job["parameters"])
    with connected_ranks("cpu") as ranks:
        instance = build_scenario_instance(hyper_params, settings)
        trainer = build_trainer(hyper_params, instance, settings)
        trainer.setup()
        keep = Keeper(getattr(trainer, "collector", None))
        trainer.collector = keep
        metrics = trainer.train_iteration()
        trainer.close()
        folder = Path(job["folder"])
        save_file(keep.batch, folder / f"batch_{ranks.rank}.safetensors")
        weights = {name: value.contiguous() for name, value in trainer.agents.state_dict().items()}
        save_file(weights, folder / f"weights_{ranks.rank}.safetensors")
    return metrics


class Keeper:
    """Keeps the batch that a collector has collected."""

    def __init__(self, collector: Any) -> None:
        self.collector = collector
        self.batch: dict[str, Any] = {}

    def collect(self) -> Any:
        batch = self.collector.collect()
        flat = batch.flatten_keys("/")
        self.batch = {name: value.contiguous().clone() for name, value in flat.items()}
        return batch

    def state_dict(self) -> dict[str, Any]:
        return {} if self.collector is None else self.collector.state_dict()


class Wishes(Callback):
    """Makes requests on the second rank only, and records the effects on both."""

    def __init__(self, rank: int) -> None:
        self._is_asking = rank == 1
        self.evaluations: list[int] = []
        self.checkpoints: list[int] = []

    def on_iteration_end(self, context: TrainingContext) -> None:
        if self._is_asking and context.iteration == 0:
            context.request_evaluation()
        if self._is_asking and context.iteration == 1:
            context.request_checkpoint()
        if self._is_asking and context.iteration == 3:
            context.stop("the second rank has had enough")

    def on_evaluation_end(self, context: TrainingContext) -> None:
        self.evaluations.append(context.iteration + 1)

    def on_checkpoint(self, context: TrainingContext) -> None:
        self.checkpoints.append(context.iteration)


def wishes_of_one_rank(job: dict[str, Any]) -> list[list[int]]:
    """Train until one rank asks to stop; return when there were evaluations and checkpoints."""
    settings = make_settings(Path(job["folder"]), checkpoint_period=100)
    hyper_params = HyperParameters.from_dict(job["parameters"])
    with connected_ranks("cpu") as ranks:
        instance = build_scenario_instance(hyper_params, settings)
        trainer = build_trainer(hyper_params, instance, settings)
        wishes = Wishes(ranks.rank)
        trainer.add_callback(wishes)
        trainer.train()
    return [wishes.evaluations, wishes.checkpoints]


def a_loss_breaks_on_one_rank(job: dict[str, Any]) -> str | None:
    """Train with a loss term that is NaN on one rank in iteration 2; return the stop reason."""
    hyper_params = HyperParameters.from_dict(job["parameters"])
    settings = make_settings(Path(job["folder"]))
    with connected_ranks("cpu") as ranks:

        def fragile(batch: Any, context: TrainingContext) -> torch.Tensor:
            breaks = ranks.rank == 1 and context.iteration == 1
            return torch.tensor(float("nan") if breaks else 0.0)

        components = TrainerComponents(loss_terms=[(1.0, fragile)])
        instance = build_scenario_instance(hyper_params, settings)
        trainer = build_trainer(hyper_params, instance, settings, components=components)
        trainer.train()
    return trainer.context.stop_reason


def whole_run(job: dict[str, Any]) -> dict[str, Any]:
    """Run or resume an experiment; return the result of each rank."""
    if job["dies_at_checkpoint"] is not None:
        die_at_call(Run, "save_checkpoint", job["dies_at_checkpoint"], after=True)
    hyper_params = HyperParameters.from_dict(job["parameters"])
    result = run_experiment(hyper_params, run_id=job["run_id"], **job["settings"])
    return {"metrics": result.metrics, "folder": str(result.folder)}


def own_parameters_of_one_rank(job: dict[str, Any]) -> dict[str, list[float]]:
    """Train with an objective that owns parameters; return them before and after, flattened."""
    settings = make_settings(Path(job["folder"]))
    forget = register("probing", ProbingTrainer)
    try:
        hyper_params = HyperParameters.from_dict(job["parameters"])
        with connected_ranks("cpu"):
            instance = build_scenario_instance(hyper_params, settings)
            trainer = build_trainer(hyper_params, instance, settings)
            trainer.setup()
            before = _own_tensors(trainer)
            trainer.train_iteration()
            after = _own_tensors(trainer)
            trainer.close()
    finally:
        forget()
    return {"before": before, "after": after}


def _own_tensors(trainer: Any) -> list[float]:
    own = [t for n, t in trainer.loss_module.state_dict().items() if not n.startswith("agents.")]
    return torch.cat([tensor.flatten().double() for tensor in own]).tolist()
