"""Two manual training loops that give exactly the numbers of ``train``."""

from nip import ExperimentSettings, HyperParameters
from nip.factory import build_scenario_instance
from nip.trainers.core.trainer import Trainer
from nip.trainers.registry import build_trainer
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer

hyper_params = HyperParameters(
    scenario="toy",
    dataset="witness",
    trainer="vanilla_ppo",
    interaction_protocol="adp",
    rl={
        "num_iterations": 20,
        "frames_per_batch": 256,
        "minibatch_size": 128,
        "lr": 0.05,
        "num_test_iterations": 2,
    },
)


def new_trainer() -> Trainer:
    """Build a new trainer without a run, so that nothing is written."""
    settings = ExperimentSettings(progress=False)
    return build_trainer(hyper_params, build_scenario_instance(hyper_params, settings), settings)


def by_iterations(trainer: TensorDictRlTrainer) -> dict[str, float]:
    """Train iteration by iteration, with evaluations in between."""
    trainer.setup()
    with trainer.closing():
        while not trainer.is_done:
            metrics = trainer.train_iteration()
            if trainer.context.iteration % 5 == 0:
                print(trainer.context.iteration, metrics["mean_accuracy"])
        return trainer.evaluate("test")


def by_steps(trainer: TensorDictRlTrainer) -> dict[str, float]:
    """Train minibatch by minibatch, without logging or saving."""
    trainer.setup()
    with trainer.closing():
        for _ in range(hyper_params.rl.num_iterations):
            batch = trainer.collect_batch()
            trainer.agents.train()
            for minibatch in trainer.minibatches(batch):
                trainer.train_step(minibatch)
            trainer.learner.finish_iteration()
            trainer.context.iteration += 1
        return trainer.evaluate("test")


if __name__ == "__main__":
    usual = new_trainer()
    usual.train()
    accuracy = usual.history.latest("test_mean_accuracy")
    assert by_iterations(new_trainer())["test_mean_accuracy"] == accuracy
    assert by_steps(new_trainer())["test_mean_accuracy"] == accuracy
    print("test accuracy", accuracy)
