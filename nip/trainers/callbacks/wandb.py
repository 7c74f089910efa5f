"""Callback that sends metrics, checkpoints and rollouts to Weights & Biases."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.errors import NipError, warn_user
from nip.parameters.callbacks import WandbParameters
from nip.run_store.checkpoints.checkpoint import checkpoint_path, read_best
from nip.run_store.database.origin import PARAMETERS_FILE
from nip.trainers.callbacks.extras import require_extra
from nip.trainers.callbacks.logged_rows import logged_rows, run_folder
from nip.trainers.callbacks.rollout_samples import RolloutSamples
from nip.trainers.callbacks.wandb_rows import ITERATION, SentRows
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext
from nip.utils.secrets import scrub_tree

if TYPE_CHECKING:
    import wandb

DEFAULT_PROJECT = "nip"

RECORD_FILE = "wandb/sent.jsonl"
"""File in the folder of the run that records what was sent."""

SAMPLE_FOLDERS = ("rollouts", "transcripts")
"""Folders of readable rollouts within the folder of a run."""


@register_callback("wandb", parameters=WandbParameters)
class Wandb(Callback):
    """Sends the metrics to Weights & Biases, with the iteration as the step.

    Metrics of an iteration whose first part was sent before an interruption get a step of their
    own, because the service accepts none for earlier steps; the charts then use the metric
    ``iteration`` as their axis.

    The identifier there is derived from the run, so that a resumed run continues the same one.
    Without a network (``mode=offline``) everything is stored in ``wandb/`` in the folder of the
    run; each start writes the complete history, so that only the newest needs ``wandb sync``.
    """

    is_observer = True
    may_fail = True
    is_unique_in_process = True

    def __init__(self, **options: Any) -> None:
        self.params = WandbParameters(**options)
        if self.params.mode != "disabled":
            require_extra("wandb", "wandb")
        self._run: wandb.Run | None = None
        self._sent: set[Path] = set()
        self._has_axis = False

    def check(self, trainer: Any) -> None:
        """Require that the user is logged in: W&B would wait for the key on the terminal."""
        if self.params.mode != "online":
            return
        import wandb

        try:
            is_logged_in = wandb.login(prompt=False)
        except wandb.errors.Error as error:
            raise _not_started(error) from error
        if not is_logged_in:
            raise _not_started("you are not logged in")

    def on_train_start(self, context: TrainingContext) -> None:
        """Start or resume the run there, and send the metrics that it lacks.

        Raises
        ------
        NipError
            If the user is not logged in, or the service cannot be reached.
        """
        if self.params.mode == "disabled":
            return
        folder = run_folder(context, "wandb")
        if folder is None:
            return
        self._folder = folder
        self._has_checkpoints = context.trainer.data == "tensordict"
        self._warn_of_no_effect(context)
        self._run = self._start(context)
        rows = logged_rows(context.history)
        # Offline, each start writes everything into a new file.
        record = folder / RECORD_FILE if self.params.mode == "online" else None
        self._rows = SentRows(record, self._run.starting_step, dict(rows))
        for iteration, metrics in rows:
            self._log(self._run, iteration, metrics)

    def on_log(self, context: TrainingContext) -> None:
        """Send the metrics."""
        if self._run is not None:
            self._log(self._run, context.metrics_iteration, dict(context.metrics))

    def on_iteration_end(self, context: TrainingContext) -> None:
        """Send new rollouts."""
        if self._run is not None and self.params.log_rollouts:
            self._send_samples(self._run)

    def on_checkpoint(self, context: TrainingContext) -> None:
        """Send the checkpoint."""
        if self._run is not None and self.params.log_checkpoints and self._has_checkpoints:
            self._send_checkpoint(self._run, context.iteration)

    def on_train_end(self, context: TrainingContext) -> None:
        """Send the remaining rollouts and finish; after an exception the run is shown as failed."""
        if self._run is None:
            return
        run, self._run = self._run, None
        if self.params.log_rollouts:
            self._send_samples(run)
        run.finish(exit_code=int(sys.exc_info()[0] is not None))

    def _warn_of_no_effect(self, context: TrainingContext) -> None:
        if self.params.log_checkpoints and not self._has_checkpoints:
            warn_user(
                "log_checkpoints=True of the callback 'wandb' has no effect: the weights of "
                "language models are where they are fine-tuned. Set it to False."
            )
        if not self.params.log_rollouts:
            return
        trainer = context.trainer
        if trainer.data == "text" and not trainer.hyper_params.text_rl.save_transcripts:
            warn_user(
                "log_rollouts=True of the callback 'wandb' has no effect without transcripts. Set "
                "text_rl.save_transcripts=True."
            )
        if trainer.data == "tensordict" and not any(
            isinstance(callback, RolloutSamples) for callback in trainer.callbacks
        ):
            warn_user(
                "log_rollouts=True of the callback 'wandb' has no effect without the callback "
                "'rollout_samples'. Add it to callbacks."
            )

    def _start(self, context: TrainingContext) -> wandb.Run:
        import wandb

        params = self.params
        try:
            return wandb.init(
                project=params.project or os.environ.get("WANDB_PROJECT", DEFAULT_PROJECT),
                entity=params.entity,
                mode=params.mode,
                group=params.group,
                tags=params.tags,
                id=wandb_run_id(self._folder),
                name=self._folder.name,
                dir=self._folder,
                config=scrub_tree(context.trainer.hyper_params.to_dict()),
                # W&B would upload how the code differs from its last commit, and the address of the
                # remote, which may contain keys; environment.json has both without them.
                settings={"disable_git": True, "save_code": False},
                # Offline, it is unknown what the service has.
                resume="allow" if params.mode == "online" else None,
                # Leaves a run that the user has opened alone.
                reinit="create_new",
            )
        except wandb.errors.Error as error:
            raise _not_started(error) from error

    def _log(self, run: wandb.Run, iteration: int, metrics: dict[str, float]) -> None:
        """Send the metrics that the service does not have since before an interruption."""
        lacking = self._rows.lacking(iteration, metrics)
        if not lacking:
            return
        step = self._rows.choose_step(iteration)
        if self._rows.is_recorded:
            lacking[ITERATION] = iteration
            if step != iteration and not self._has_axis:
                self._has_axis = True
                run.define_metric(ITERATION)
                run.define_metric("*", step_metric=ITERATION)
        run.log(lacking, step=step)
        self._rows.note(step, iteration, metrics)

    def _send_checkpoint(self, run: wandb.Run, iteration: int) -> None:
        import wandb

        folder = self._folder / "checkpoints"
        checkpoint, best = checkpoint_path(folder, iteration), read_best(folder)
        is_best = best is not None and best.iteration == iteration
        artifact = wandb.Artifact(checkpoint_artifact_name(self._folder.name), type="model")
        artifact.add_dir(str(checkpoint))
        # An agent that starts with these weights is built with their parameters.
        artifact.add_file(str(self._folder / PARAMETERS_FILE), name=PARAMETERS_FILE)
        run.log_artifact(artifact, aliases=["latest", checkpoint.name, *["best"] * is_best])

    def _send_samples(self, run: wandb.Run) -> None:
        import wandb

        found = {
            path
            for folder in SAMPLE_FOLDERS
            for path in (self._folder / folder).glob("[!.]*")
            if path not in self._sent
        }
        if not found:
            return
        artifact = wandb.Artifact(f"{self._folder.name}-rollouts", type="rollouts")
        for path in sorted(found):
            artifact.add_file(str(path), name=str(path.relative_to(self._folder)))
        run.log_artifact(artifact)
        self._sent |= found


def wandb_run_id(folder: Path) -> str:
    """Return the identifier of a run at Weights & Biases.

    It is derived from the name of the run and the time of its first start, so that a new run with
    the name of a deleted one does not continue the old one there.
    """
    starts = json.loads((folder / "environment.json").read_text(encoding="utf-8"))["starts"]
    identity = f"{folder.name} {starts[0]['started_at']}"
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def checkpoint_artifact_name(run_id: str) -> str:
    """Return the name of the artifact that holds the checkpoints of a run.

    Its versions have the aliases ``latest``, ``best`` and the name of the checkpoint's folder, such
    as ``iteration_000012``.
    """
    return f"{run_id}-checkpoint"


def _not_started(problem: object) -> NipError:
    return NipError(
        f"Weights & Biases could not be started: {str(problem).rstrip('.')}. Run wandb login, or "
        "set WANDB_API_KEY; without an account or a network, write {name: wandb, mode: offline} "
        "in callbacks."
    )
