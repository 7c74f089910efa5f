"""Exported files: chosen dialogues and the curves of their runs, as HTML or as a log of Inspect."""

from collections.abc import Sequence
from pathlib import Path

from nip.errors import ParameterError
from nip.viewer.dialogues.experiments import TextExperiments
from nip.viewer.export.collecting import collect
from nip.viewer.export.html_page import export_page
from nip.viewer.export.inspect_log import dump, inspect_log
from nip.viewer.runs.catalogue import RunCatalogue, common_metrics
from nip.viewer.runs.curves import curves_of
from nip.viewer.web.place import Place


class Exporter:
    """Makes files from the runs of a folder.

    Parameters
    ----------
    catalogue : RunCatalogue
        The runs.
    experiments : TextExperiments
        The experiments of the runs.
    """

    def __init__(self, catalogue: RunCatalogue, experiments: TextExperiments) -> None:
        self._catalogue, self._experiments = catalogue, experiments

    def html(
        self, places: Sequence[Place], run_ids: Sequence[str] = (), metrics: Sequence[str] = ()
    ) -> str:
        """Return an HTML file that needs no network and no server.

        Parameters
        ----------
        places : sequence of Place
            Where the dialogues are stored.
        run_ids : sequence of str
            More runs whose curves are drawn, beside those of the dialogues.
        metrics : sequence of str
            Metrics that are drawn; empty: the main ones.

        Raises
        ------
        ParameterError
            If there is no dialogue at a place, or there are too many places.
        """
        shown = list(dict.fromkeys([*run_ids, *(place.run for place in places)]))
        names = common_metrics([self._catalogue.get(run_id) for run_id in shown])
        folders = {run_id: self._runs_dir / run_id for run_id in shown}
        curves = curves_of(folders, names, list(metrics))
        title = f"{'Dialogues' if places else 'Curves'} of {', '.join(shown)}"
        return export_page(collect(self._runs_dir, self._experiments, places), curves, title)

    def inspect(self, places: Sequence[Place]) -> str:
        """Return a log of Inspect.

        Parameters
        ----------
        places : sequence of Place
            Where the dialogues are stored, all in one run.

        Raises
        ------
        ParameterError
            If there are dialogues of several runs or of none, no dialogue at a place, or too many.
        """
        run_ids = {place.run for place in places}
        if len(run_ids) != 1:
            raise ParameterError(
                f"A log of Inspect holds dialogues of one run, got {len(run_ids)} runs with "
                "dialogues. Choose some of one."
            )
        (run_id,) = run_ids
        dialogues = collect(self._runs_dir, self._experiments, places)
        return dump(inspect_log(self._catalogue.get(run_id), dialogues))

    @property
    def _runs_dir(self) -> Path:
        return self._catalogue.runs_dir
