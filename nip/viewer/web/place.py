"""``Place``: the address of one dialogue, and the checks of addresses that a browser sends."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from nip.errors import ParameterError
from nip.run_store.database.rollout_table import RolloutPhase
from nip.run_store.run_id import check_run_id, is_run_folder

PHASES: tuple[RolloutPhase, ...] = ("train", "test")


class Place(NamedTuple):
    """The address of one dialogue."""

    run: str
    """Id of the run."""

    phase: RolloutPhase
    """``train`` or ``test``."""

    iteration: int
    """The iteration, counted from 1."""

    position: int
    """Position in the stage."""

    @property
    def key(self) -> str:
        """Text from which ``parse`` restores the place."""
        return "/".join(map(str, self))

    @property
    def url(self) -> str:
        """Path of the page of the dialogue."""
        return f"{run_url(self.run)}/dialogues/{self.phase}/{self.iteration}/{self.position}"

    @property
    def title(self) -> str:
        """Name of the dialogue within its run."""
        return f"{self.phase} {self.iteration}, position {self.position}"

    @classmethod
    def parse(cls, key: str) -> "Place":
        """Parse a key such as ``my_run/train/3/17``.

        Raises
        ------
        ParameterError
            If it is not of that form.
        """
        parts = key.split("/")
        numbers = parts[2:]
        is_place = len(parts) == 4 and all(map(_is_number, numbers))
        for phase in PHASES:
            if is_place and parts[1] == phase:
                check_run_id(parts[0])
                return cls(parts[0], phase, int(numbers[0]), int(numbers[1]))
        raise ParameterError(
            f"A dialogue must be given as RUN/PHASE/ITERATION/POSITION, such as my_run/train/3/17, "
            f"got {key!r}."
        )


def run_url(run_id: str) -> str:
    """Return the path of the page of a run."""
    return f"/runs/{quote(run_id, safe='')}"


def place_of(request: Request) -> Place:
    """Return the dialogue that the path of a request names; answer 404 if it names none."""
    names = ("run", "phase", "iteration", "position")
    try:
        return Place.parse("/".join(request.path_params[name] for name in names))
    except ParameterError as error:
        raise HTTPException(404, str(error)) from error


def existing_folder(runs_dir: Path, run_id: str) -> Path:
    """Return the folder of a run; answer 404 if there is no such run."""
    try:
        check_run_id(run_id)
    except ParameterError as error:
        raise HTTPException(404, str(error)) from error
    folder = runs_dir / run_id
    if not is_run_folder(folder):
        raise HTTPException(404, f"There is no run {run_id!r} in {runs_dir}.")
    return folder


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10
