"""A run of language models, opened for reading; it may still be running."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, trainer_specs
from nip.run_store import RolloutPhase, open_database
from nip.run_store.database import DIGEST_PREFIX, RunDatabase
from nip.run_store.reading import read_parameters, read_settings
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.stored_rollouts import StoredRollouts

PHASES: tuple[RolloutPhase, ...] = ("train", "test")

Stage = tuple[RolloutPhase, int]
"""Phase and iteration, counted from 0."""


@dataclass(frozen=True)
class TextRun:
    """A run of language models and the parts that it was made of."""

    folder: Path
    """Where the run lies."""

    hyper_params: HyperParameters
    """What was run."""

    instance: PureTextScenarioInstance
    """Protocol, data and rules of the dialogues."""

    database: RunDatabase
    """Its database, only to be read."""

    stored: StoredRollouts
    """Its rollouts."""

    def stages(
        self,
        phases: Sequence[RolloutPhase] = PHASES,
        iterations: Sequence[int] | None = None,
    ) -> list[Stage]:
        """Return the stages that have rollouts, in the order in which they were played.

        Parameters
        ----------
        phases : Sequence[RolloutPhase]
            Which phases.
        iterations : Sequence[int], optional
            Which iterations, counted from 1 as in transcripts and metrics; None: all.

        Raises
        ------
        ParameterError
            If there is no rollout in any of them; the message says where there are.
        """
        played = [
            (phase, iteration)
            for phase in PHASES
            for iteration in self.database.rollouts.iterations(phase)
        ]
        played.sort(key=lambda stage: (stage[1], PHASES.index(stage[0])))
        chosen = [
            (phase, iteration)
            for phase, iteration in played
            if phase in phases and (iterations is None or iteration + 1 in iterations)
        ]
        if not chosen:
            known = ", ".join(f"{phase} {iteration + 1}" for phase, iteration in played)
            raise ParameterError(
                f"Run {self.folder.name!r} has no rollouts there. It has those of "
                f"{known or 'no iteration yet'}. Choose other iterations or phases."
            )
        return chosen


@contextmanager
def open_text_run(folder: Path, data_dir: str | None = None) -> Iterator[TextRun]:
    """Open a run of language models for reading.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    data_dir : str, optional
        Where the datasets lie; None: where they lay when the run was started last.

    Raises
    ------
    NipError
        If there is no such run, its agents are no language models, or its dataset is not there or
        has been exchanged.
    """
    # Brings numpy along, for which a mistake in the name of the run need not wait.
    from nip.experiment.text_parts import build_text_instance

    hyper_params = HyperParameters.from_dict(read_parameters(folder))
    if trainer_specs[hyper_params.trainer].data != "text":
        raise ParameterError(
            f"Run {folder.name!r} has trainer={hyper_params.trainer!r}, whose agents exchange no "
            "words. Choose a run of language models."
        )
    settings = ExperimentSettings.from_dict(read_settings(folder), ignore_unknown=True)
    settings = settings if data_dir is None else replace(settings, data_dir=data_dir)
    with open_database(folder) as database:
        instance = build_text_instance(hyper_params, settings)
        _check_same_data(folder, database, instance)
        stored = StoredRollouts(instance, hyper_params, database)
        yield TextRun(folder, hyper_params, instance, database, stored)


def _check_same_data(
    folder: Path, database: RunDatabase, instance: PureTextScenarioInstance
) -> None:
    """Refuse questions and solutions that are not those of the dialogues."""
    for name, digest in instance.digests().items():
        is_dataset = name.endswith("dataset")
        if is_dataset and database.get_state(f"{DIGEST_PREFIX}{name}", digest) != digest:
            raise ParameterError(
                f"The {name} of run {folder.name!r} has been exchanged since the run began, so its "
                "dialogues are not about these questions. Put the old one back."
            )
