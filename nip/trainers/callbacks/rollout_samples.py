"""Callback that writes a few rollouts as YAML at regular intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nip.errors import ParameterError
from nip.parameters.callbacks import RolloutSamplesParameters
from nip.seeding import stable_seed
from nip.trainers.callbacks.logged_rows import run_folder
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext
from nip.utils.files import make_folder, write_atomically
from nip.utils.readable_yaml import dump_readable

if TYPE_CHECKING:
    from nip.trainers.trainer_base import TensorDictTrainer

FOLDER = "rollouts"


@register_callback("rollout_samples", parameters=RolloutSamplesParameters)
class RolloutSamples(Callback):
    """Writes ``rollouts/iteration_000100.yaml`` and so on into the folder of the run.

    Each file tells, episode by episode, who wrote which symbols on which channel, who decided what
    and what it was worth. The questions are the same each time, so that two files show what was
    learnt between them.
    """

    is_observer = True
    may_fail = True

    def __init__(self, **options: Any) -> None:
        self.params = RolloutSamplesParameters(**options)

    def check(self, trainer: Any) -> None:
        """Refuse trainers without rollouts: agents that are language models, or answer alone."""
        if trainer.data != "tensordict":
            of_text = (
                ", and set text_rl.save_transcripts=True, which keeps all that they say"
                if trainer.data == "text"
                else ""
            )
            raise ParameterError(
                "The callback 'rollout_samples' shows the symbols of networks, but the agents of "
                f"trainer={trainer.hyper_params.trainer!r} are "
                f"{'language models' if of_text else 'none'}. Leave it out{of_text}."
            )
        if trainer.trainer_type == "solo_agent":
            raise ParameterError(
                "The callback 'rollout_samples' needs agents that exchange messages, but with "
                f"trainer={trainer.hyper_params.trainer!r} each answers alone. Leave it out."
            )

    def on_train_start(self, context: TrainingContext) -> None:
        """Set the folder of the run."""
        self._folder = run_folder(context, "rollout_samples")

    def on_iteration_end(self, context: TrainingContext) -> None:
        """Write a sample if one is due."""
        iteration = context.iteration + 1
        if self._folder is None or iteration % self.params.every != 0:
            return
        # Imported here, because this module is also imported for language models, without torch.
        from nip.scenario_base.rollout_descriptions import describe_rollouts

        trainer = cast("TensorDictTrainer", context.trainer)
        rollouts = trainer.sample_rollouts(
            self.params.num_rollouts,
            stable_seed(trainer.hyper_params.seed, "rollout_samples"),
            self.params.split,
        )
        told = describe_rollouts(rollouts, trainer.scenario_instance.protocol_handler)
        folder = self._folder / FOLDER
        make_folder(folder)
        write_atomically(folder / f"iteration_{iteration:06d}.yaml", dump_readable(told))
