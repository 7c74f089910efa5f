"""Collect the dialogues that are exported, with what each agent was sent."""

from collections.abc import Sequence
from pathlib import Path

from nip.errors import ParameterError
from nip.run_store.database import RunDatabase
from nip.viewer.dialogues.agent_view import requests_to
from nip.viewer.dialogues.dialogue_view import view_of
from nip.viewer.dialogues.experiments import TextExperiment, TextExperiments
from nip.viewer.dialogues.records import StoredDialogue, read_dialogue
from nip.viewer.export.html_page import ExportedDialogue
from nip.viewer.web.place import Place

MAX_EXPORTED = 2_000
"""Maximum number of dialogues in one file."""


def collect(
    runs_dir: Path, experiments: TextExperiments, places: Sequence[Place]
) -> list[ExportedDialogue]:
    """Return the dialogues at some places, in their order.

    Parameters
    ----------
    runs_dir : Path
        Folder of the runs.
    experiments : TextExperiments
        The experiments of the runs.
    places : sequence of Place
        Where the dialogues are stored.

    Raises
    ------
    ParameterError
        If there is no dialogue at a place, or there are too many places.
    """
    if len(places) > MAX_EXPORTED:
        raise ParameterError(
            f"One file holds at most {MAX_EXPORTED} dialogues, got {len(places)}. Choose fewer."
        )
    databases: dict[str, RunDatabase] = {}
    try:
        found = []
        for place in places:
            folder = runs_dir / place.run
            if place.run not in databases:
                databases[place.run] = RunDatabase(folder / "run.db", read_only=True)
            stored = read_dialogue(databases[place.run], place)
            if stored is None:
                raise ParameterError(f"Run {place.run!r} has no dialogue at {place.title}.")
            found.append(exported(stored, experiments.get(folder)))
        return found
    finally:
        for database in databases.values():
            database.close()


def exported(stored: StoredDialogue, experiment: TextExperiment | str) -> ExportedDialogue:
    """Return a dialogue with what each agent was sent, as far as that is known."""
    view = view_of(stored, experiment)
    if stored.rollout is None or isinstance(experiment, str):
        return ExportedDialogue(view, {})
    conversation = experiment.conversation(stored.place.phase, stored.rollout)
    if conversation is None:
        return ExportedDialogue(view, {})
    names = experiment.agent_names
    sent = {name: requests_to(name, stored.rollout, conversation) for name in names}
    return ExportedDialogue(view, sent)
