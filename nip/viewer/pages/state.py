"""``ViewerState``: what all requests share, and helpers to read a request."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request

from nip.errors import NipError
from nip.run_store.database import RunDatabase
from nip.viewer.dialogues.experiments import TextExperiments
from nip.viewer.runs.catalogue import RunCatalogue
from nip.viewer.search.index import SearchIndex
from nip.viewer.web.options import ViewerOptions
from nip.viewer.web.place import existing_folder
from nip.viewer.web.rendering import prepare_templates


class ViewerState:
    """What all requests share.

    Parameters
    ----------
    options : ViewerOptions
        What is shown.
    """

    def __init__(self, options: ViewerOptions) -> None:
        self.options = options
        self.catalogue = RunCatalogue(options.runs_dir)
        self.experiments = TextExperiments(options.data_dir)
        self.index = SearchIndex(options.index, options.runs_dir)

    def prepare(self) -> None:
        """Do what first requests would wait for: compile templates, and read all runs."""
        prepare_templates()
        with suppress(NipError, OSError):  # The list of runs says what is wrong.
            self.catalogue.all()

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run; answer 404 if there is no such run."""
        return existing_folder(self.options.runs_dir, run_id)

    @contextmanager
    def database(self, run_id: str) -> Iterator[RunDatabase]:
        """Open the database of a run for reading; answer 404 if it has none."""
        path = self.folder(run_id) / "run.db"
        if not path.exists():
            raise HTTPException(404, f"Run {run_id!r} has no run.db yet.")
        database = RunDatabase(path, read_only=True)
        try:
            yield database
        finally:
            database.close()


def state_of(request: Request) -> ViewerState:
    """Return what all requests share."""
    state = request.app.state.viewer
    assert isinstance(state, ViewerState)
    return state


def value_of(request: Request, name: str, default: str = "") -> str:
    """Return one value of the query of a request."""
    return request.query_params.get(name, default)


def integer_of(request: Request, name: str) -> int | None:
    """Return a value of the query as an integer; None if it is empty or none."""
    text = value_of(request, name)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def listed(request: Request, name: str) -> list[str]:
    """Return all different values of a name in the query, in their order."""
    return list(dict.fromkeys(filter(None, request.query_params.getlist(name))))


def reason_of(error: NipError | OSError) -> str:
    """Return the message of an error for the page."""
    return str(error) or type(error).__name__
