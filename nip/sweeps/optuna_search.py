"""Search with Optuna: combinations that are proposed from the results of earlier ones."""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from nip.errors import ParameterError, shown
from nip.seeding import stable_seed
from nip.sweeps.cells import Cell
from nip.sweeps.space import Range, Values, domain_of
from nip.sweeps.supervisor import CellProgress
from nip.sweeps.sweep_file import SweepParameters

if TYPE_CHECKING:
    import optuna

_VALUES_KEY = "nip values"
"""User attribute of a trial: its combination as JSON."""


def check_metric(sweep: SweepParameters, cell: Cell) -> None:
    """Build one experiment of a search, to check that its runs have the metric.

    It is built on the processor, because the computer that starts a sweep may have no accelerator.

    Raises
    ------
    ParameterError
        If its runs do not have the metric.
    """
    # Imported late, because a sweep of another kind builds nothing.
    from nip.run import build_checked

    experiment = cell.experiment
    settings = replace(experiment.settings, device="cpu", compile="off")
    trainer = build_checked(replace(experiment, settings=settings))
    names = trainer.stored_metric_names()
    if names is not None and trainer.components.evaluate is None:
        _require_metric(sweep, names)


class OptunaSearch:
    """Proposes batches of combinations, and stores their results in a file of Optuna.

    A proposal depends on ``search_seed``, its number, and the results of all earlier batches: on
    nothing else, so that a search that was interrupted proposes the same combinations again, and
    finds their runs.

    Parameters
    ----------
    sweep : SweepParameters
        The file of the sweep.
    path : Path
        File of Optuna's journal storage.

    Raises
    ------
    ParameterError
        If Optuna is not installed, or the file has trials of other parameters.
    """

    def __init__(self, sweep: SweepParameters, path: Path) -> None:
        try:
            import optuna
        except ImportError as error:
            raise ParameterError(
                "search=optuna needs the package optuna, which is not installed. Install it with "
                "pip install 'nip[optuna]', or use search=random."
            ) from error
        self._sweep = sweep
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._distributions = {
            name: _distribution(domain_of(given)) for name, given in sweep.parameters.items()
        }
        from optuna.storages.journal import JournalFileBackend

        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        self._study = optuna.create_study(
            storage=storage,
            study_name=self._study_name(),
            direction=sweep.direction,
            load_if_exists=True,
        )

    def batches(self) -> Iterator[tuple[int, list[Values]]]:
        """Iterate over batches: the number of the first trial, and the combinations.

        ``tell`` the results of a batch before the next one.
        """
        assert self._sweep.num_trials is not None
        size, total = self._sweep.batch_size, self._sweep.num_trials
        for first in range(0, total, size):
            # The last batch may be cut off, and be completed once num_trials is larger.
            known = self._study.get_trials(deepcopy=False)[:first]
            numbers = range(first, min(first + size, total))
            yield first, [self._propose(number, known) for number in numbers]

    def tell(
        self, first: int, combinations: Sequence[Values], cells: Sequence[CellProgress]
    ) -> None:
        """Store the results of a batch.

        A combination with a cell that has failed is stored as failed, and has no influence on
        later proposals.

        Raises
        ------
        ParameterError
            If completed cells lack the metric.
        """
        import optuna

        num_stored = len(self._study.get_trials(deepcopy=False))
        states = optuna.trial.TrialState
        for values in combinations[max(0, num_stored - first) :]:
            own = [each for each in cells if values.items() <= each.cell.values.items()]
            results = [self._metric_of(each) for each in own if each.status == "completed"]
            is_complete = len(results) == len(own)
            # One entry of the file, so that a kill leaves a whole trial or none.
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=states.COMPLETE if is_complete else states.FAIL,
                    value=fmean(results) if is_complete else None,
                    params={name: self._to_optuna(name, each) for name, each in values.items()},
                    distributions=self._distributions,
                    user_attrs={_VALUES_KEY: json.dumps(values)},
                )
            )

    def best(self) -> tuple[Values, float] | None:
        """Return the best combination and its metric; None if none is completed."""
        import optuna

        complete = (optuna.trial.TrialState.COMPLETE,)
        if not self._study.get_trials(deepcopy=False, states=complete):
            return None
        trial = self._study.best_trial
        assert trial.value is not None
        return json.loads(trial.user_attrs[_VALUES_KEY]), trial.value

    def _propose(self, number: int, known: Sequence["optuna.trial.FrozenTrial"]) -> Values:
        """Return the combination of a trial, from the results of all earlier batches."""
        import optuna

        seed = stable_seed(self._sweep.search_seed, "optuna", number) % 2**32
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed), direction=self._sweep.direction
        )
        study.add_trials(known)
        trial = study.ask(self._distributions)
        return {name: self._from_optuna(name, value) for name, value in trial.params.items()}

    def _metric_of(self, progress: CellProgress) -> float:
        metrics = progress.state.metrics
        return metrics[_require_metric(self._sweep, metrics)]

    def _study_name(self) -> str:
        """Return a key of all that decides which combinations are proposed."""
        sweep = self._sweep.to_dict()
        names = ("base", "parameters", "seeds", "metric", "direction", "search_seed", "batch_size")
        text = json.dumps({name: sweep[name] for name in names}, sort_keys=True)
        return f"{self._sweep.name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def _to_optuna(self, name: str, value: Any) -> Any:
        is_listed = isinstance(domain_of(self._sweep.parameters[name]), list)
        return json.dumps(value) if is_listed else value

    def _from_optuna(self, name: str, value: Any) -> Any:
        is_listed = isinstance(domain_of(self._sweep.parameters[name]), list)
        return json.loads(value) if is_listed else value


def _require_metric(sweep: SweepParameters, metrics: Collection[str]) -> str:
    """Return the metric of a search; raise ``ParameterError`` if it is not among the given ones."""
    assert sweep.metric is not None
    if sweep.metric not in metrics:
        # Imported late, because a sweep of another kind needs no trainer.
        from nip.trainers.core.monitored_metrics import suggest_metric

        raise ParameterError(
            f"metric={shown(sweep.metric)} is not among the metrics of its runs. "
            f"{suggest_metric(sweep.metric, metrics)}"
        )
    return sweep.metric


def _distribution(domain: Range | list[Any]) -> "optuna.distributions.BaseDistribution":
    """Return the distribution of a parameter; choices are JSON, because Optuna has no lists."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(domain, list):
        return CategoricalDistribution([json.dumps(value) for value in domain])
    if domain.is_integer:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)
