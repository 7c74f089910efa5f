"""A run of language models opened for reading, possibly while it is running."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, trainer_specs
from nip.run_store import RolloutPhase, open_database
from nip.run_store.database import RunDatabase
from nip.run_store.reading import read_parameters, read_settings
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.stored_rollouts import StoredRollouts

PHASES: tuple[RolloutPhase, ...] = ("train", "test")

Stage = tuple[RolloutPhase, int]
"""Phase and iteration, counted from 1."""


@dataclass(frozen=True)
class TextRun:
    """A run of language models and the parts of its experiment."""

    folder: Path
    """Folder of the run."""

    hyper_params: HyperParameters
    """Hyper-parameters of the run."""

    instance: PureTextScenarioInstance
    """Protocol, datasets and dialogue rules."""

    database: RunDatabase
    """Its database, opened read-only."""

    stored: StoredRollouts
    """Its rollouts."""

    def cluster_of(self) -> dict[str, str]:
        """Return the cluster, such as the problem, of each datapoint by its id."""
        splits = (self.instance.train_dataset, self.instance.test_dataset)
        return {each.id: each.cluster_id for split in splits for each in split}

    def stages(
        self,
        phases: Sequence[RolloutPhase] = PHASES,
        iterations: Sequence[int] | None = None,
    ) -> list[Stage]:
        """Return the stages with rollouts, in chronological order.

        ``iterations`` are counted from 1; None: all. If none of them has rollouts, the message of
        the ``ParameterError`` lists the stages that have.
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
            if phase in phases and (iterations is None or iteration in iterations)
        ]
        if not chosen:
            known = ", ".join(f"{phase} {iteration}" for phase, iteration in played)
            raise ParameterError(
                f"Run {self.folder.name!r} has no rollouts in the chosen iterations and phases. It "
                f"has rollouts in: {known or 'no iteration yet'}. Choose among these."
            )
        return chosen


@contextmanager
def open_text_run(folder: Path | str, data_dir: Path | str | None = None) -> Iterator[TextRun]:
    """Open a run of language models for reading.

    ``data_dir`` is the folder of the datasets; None: that of the last start of the run. Raises
    ``NipError`` if the run does not exist, its agents are not language models, or its dataset is
    missing or has changed.
    """
    folder = Path(folder)
    hyper_params = _read_hyper_params(folder)
    with open_database(folder) as database:
        instance = _build_instance(folder, hyper_params, database, data_dir)
        stored = StoredRollouts(instance, hyper_params, database)
        yield TextRun(folder, hyper_params, instance, database, stored)


def read_text_experiment(
    folder: Path | str, data_dir: Path | str | None = None
) -> tuple[HyperParameters, PureTextScenarioInstance]:
    """Return the parameters of a run of language models, and the parts of its experiment.

    Unlike ``open_text_run``, this leaves no file open. The arguments and errors are the same.
    """
    folder = Path(folder)
    hyper_params = _read_hyper_params(folder)
    with open_database(folder) as database:
        return hyper_params, _build_instance(folder, hyper_params, database, data_dir)


def _read_hyper_params(folder: Path) -> HyperParameters:
    hyper_params = HyperParameters.from_dict(read_parameters(folder))
    if trainer_specs[hyper_params.trainer].data != "text":
        raise ParameterError(
            f"Run {folder.name!r} has trainer={hyper_params.trainer!r}, whose agents are not "
            "language models. Choose a run of language models."
        )
    return hyper_params


def _build_instance(
    folder: Path, hyper_params: HyperParameters, database: RunDatabase, data_dir: Path | str | None
) -> PureTextScenarioInstance:
    """Build the parts of a run's experiment, as the run continues them."""
    # Imported late because it imports numpy: an unknown run should be reported quickly.
    from nip.experiment.text_parts import build_text_instance

    # Of the stored settings only this one: the run may be somebody else's.
    stored = read_settings(folder).get("data_dir", ExperimentSettings.data_dir)
    settings = ExperimentSettings(data_dir=stored if data_dir is None else str(data_dir))
    instance = build_text_instance(hyper_params, settings)
    instance.continue_run(database.digests())
    _check_same_data(folder, database, instance)
    return instance


def _check_same_data(
    folder: Path, database: RunDatabase, instance: PureTextScenarioInstance
) -> None:
    """Raise if a dataset is not the one that the dialogues are about."""
    stored = database.digests()
    for name, digest in instance.digests().items():
        if name.endswith("dataset") and stored.get(name, digest) != digest:
            raise ParameterError(
                f"The {name} of run {folder.name!r} has changed since the run started, so its "
                "dialogues are about other questions. Restore the original dataset."
            )
