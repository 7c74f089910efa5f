"""Supervised training of every agent by itself."""

from collections.abc import Mapping
from contextlib import ExitStack

from torch import Tensor

from nip.trainers.checkpointing import load_optimizer_tensors, optimizer_tensors
from nip.trainers.progress import IterationContext, attach_progress_bar
from nip.trainers.registry import register_trainer
from nip.trainers.solo_training import SoloTraining
from nip.trainers.trainer_base import TensorDictTrainer


@register_trainer("solo_agent")
class SoloAgentTrainer(TensorDictTrainer):
    """Each agent learns to answer the question alone: what it can do without the other's help."""

    trainer_type = "solo_agent"

    def train(self) -> None:
        """Train for some epochs, and test on the rows which were held out."""
        with ExitStack() as stack:
            self._build_train_context(stack)
            self.training = SoloTraining(
                self.agents, self.scenario_instance.train_environment, self.hyper_params
            )
            self._first_epoch = self.restore()
            self.notify("on_train_start")
            stack.callback(self.notify, "on_train_end")
            self._run_train_loop()
        with ExitStack() as stack:
            self._build_test_context(stack)
            self._run_test_loop()

    @attach_progress_bar(lambda self: self.hyper_params.solo_agent.num_epochs)
    def _run_train_loop(self, iteration_context: IterationContext) -> None:
        """Run the epochs that are not done yet."""
        iteration_context.set_description("Training alone")
        self._run_iterations(
            iteration_context, self._first_epoch, lambda _: self.training.run_epoch()
        )

    @attach_progress_bar(lambda _: 1)
    def _run_test_loop(self, iteration_context: IterationContext) -> None:
        """Answer the held-out questions."""
        iteration_context.set_description("Testing alone")
        metrics = self.training.evaluate()
        iteration_context.set_metrics(metrics)
        iteration_context.step()
        self.log(self.hyper_params.solo_agent.num_epochs, metrics)
        self.notify("on_evaluation_end")

    def _checkpoint_tensors(self) -> dict[str, dict[str, Tensor]]:
        return {
            **super()._checkpoint_tensors(),
            "optimizer": optimizer_tensors(self.training.optimizer, self.training.names),
            "order": self.training.generator_state(),
        }

    def _load_checkpoint_tensors(self, files: Mapping[str, Mapping[str, Tensor]]) -> None:
        super()._load_checkpoint_tensors(files)
        load_optimizer_tensors(self.training.optimizer, self.training.names, files["optimizer"])
        self.training.load_generator_state(files["order"])
