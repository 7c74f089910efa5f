"""Waits for a service: announced if they are long, and refused if they are too long."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from nip.errors import warn_user
from nip.language_models.errors import LanguageModelError, ServiceUnavailableError

ANNOUNCED_S = 30.0
"""Waits above this number of seconds are announced."""

_SILENCE_S = 300.0
"""Seconds after an announcement in which further waits for the same reason are not announced."""


@dataclass(frozen=True)
class ServiceWait:
    """A wait that was announced."""

    since: str
    """When it began, in ISO form."""

    until: str
    """When it ends at the latest, in ISO form."""

    reason: str
    """Why it is necessary."""

    def to_dict(self) -> dict[str, Any]:
        """Return the wait as JSON-compatible data."""
        return asdict(self)


NoteWait = Callable[[str, ServiceWait | None], object]
"""Called with the name of a model and the wait that was announced; None when it is over."""


class ServiceWaits:
    """Announces the waits for one model, and limits them.

    Parameters
    ----------
    model_name : str
        Name of the model, or of a request that is tried again, for the messages.
    max_wait_s : float
        Longest wait for the service in seconds.
    now : Callable[[], float]
        Returns the time in seconds.
    note : Callable[[str, ServiceWait | None], object], optional
        Called when a wait is announced, and when it is over.
    """

    def __init__(
        self,
        model_name: str,
        max_wait_s: float,
        now: Callable[[], float],
        note: NoteWait | None = None,
    ) -> None:
        self._model_name = model_name
        self._max_wait_s = max_wait_s
        self._now = now
        self._silent_until = 0.0
        self._unreachable_since: float | None = None
        self._failing_since: float | None = None
        self._is_failure_announced = False
        self._is_announced = False
        self._note = note
        self._is_noted = False

    def check(self, seconds: float, reason: str) -> None:
        """Announce a wait if it is long.

        Raises
        ------
        ServiceUnavailableError
            If it is too long; the error ends the run.
        """
        if seconds > self._max_wait_s:
            raise ServiceUnavailableError(
                f"{self._model_name}: a wait of {_duration(seconds)}, until {_time_in(seconds)}, "
                f"would be necessary, which is more than {_duration(self._max_wait_s)} "
                f"(settings.max_wait_minutes): {_sentence(reason)} Everything is saved: start the "
                "run again after that time to resume it."
            )
        now = self._now()
        if seconds > ANNOUNCED_S and now >= self._silent_until:
            self._silent_until = now + max(seconds, _SILENCE_S)
            warn_user(
                f"{self._model_name}: the run waits for {_duration(seconds)}, until "
                f"{_time_in(seconds)}: {_sentence(reason)}"
            )
            self._note_wait(0.0, seconds, reason)

    def note_unreachable(self, error: LanguageModelError, num_probes: int) -> None:
        """Announce that a service is unreachable, at the third try that failed.

        Raises
        ------
        ServiceUnavailableError
            If it has been unreachable for too long; the error ends the run.
        """
        now = self._now()
        since = self._unreachable_since = (
            now if self._unreachable_since is None else self._unreachable_since
        )
        if now - since > self._max_wait_s:
            raise ServiceUnavailableError(
                f"{self._model_name} has been unreachable for {_duration(now - since)}, which is "
                f"more than {_duration(self._max_wait_s)} (settings.max_wait_minutes): "
                f"{_sentence(str(error))} Everything is saved: start the run again to resume it."
            )
        if num_probes >= 3 and not self._is_announced:
            self._is_announced = True
            left = self._max_wait_s - (now - since)
            warn_user(
                f"{self._model_name} is unreachable. All of its calls are paused, and one is tried "
                f"again at least once a minute, until {_time_in(left)} at most: "
                f"{_sentence(str(error))}"
            )
            self._note_wait(now - since, left, str(error))

    def note_failure(self, error: LanguageModelError) -> None:
        """Announce that a request that is tried again has failed for long.

        Raises
        ------
        ServiceUnavailableError
            If it has failed for too long; the error ends the run.
        """
        now = self._now()
        since = self._failing_since = now if self._failing_since is None else self._failing_since
        seconds, left = now - since, self._max_wait_s - (now - since)
        if left < 0:
            raise ServiceUnavailableError(
                f"{self._model_name} has failed for {_duration(seconds)}, which is more than "
                f"{_duration(self._max_wait_s)} (settings.max_wait_minutes): "
                f"{_sentence(str(error))} Everything is saved: start the run again to resume it."
            )
        if seconds > ANNOUNCED_S and not self._is_failure_announced:
            self._is_failure_announced = True
            warn_user(
                f"{self._model_name} has failed for {_duration(seconds)}. It is tried again until "
                f"{_time_in(left)} at most: {_sentence(str(error))}"
            )
            self._note_wait(seconds, left, str(error))

    def note_success(self) -> None:
        """Note that a request has succeeded; announce it if its failures were announced."""
        if self._is_failure_announced and self._failing_since is not None:
            seconds = self._now() - self._failing_since
            warn_user(f"{self._model_name} has succeeded, after {_duration(seconds)}.")
        self._failing_since, self._is_failure_announced = None, False
        self._end_note()

    def note_never_reached(
        self,
        error: LanguageModelError,
        address: str,
        num_probes: int,
        num_left: int,
        seconds_left: float,
    ) -> None:
        """Announce that a service was never reached, at the third try that failed."""
        now = self._now()
        if self._unreachable_since is None:
            self._unreachable_since = now
        if num_probes >= 3 and not self._is_announced:
            self._is_announced = True
            at = f" at {address}" if address and address not in str(error) else ""
            tries = "Another try" if num_left == 1 else f"Another {num_left} tries"
            warn_user(
                f"{self._model_name}{at} has not been reached yet: {num_probes} tries in a row "
                f"failed. {tries} will take about {_duration(seconds_left)}; Ctrl-C stops. "
                f"{_sentence(str(error))}"
            )
            self._note_wait(now - self._unreachable_since, seconds_left, str(error))

    def note_answer(self) -> None:
        """Note that the service is reachable; announce it if an outage was announced."""
        if self._is_announced and self._unreachable_since is not None:
            seconds = self._now() - self._unreachable_since
            warn_user(f"{self._model_name} is reachable again, after {_duration(seconds)}.")
        self._unreachable_since, self._is_announced = None, False
        self._end_note()

    def _end_note(self) -> None:
        if self._is_noted and self._note is not None:
            self._is_noted = False
            self._note(self._model_name, None)

    def _note_wait(self, seconds_ago: float, seconds_left: float, reason: str) -> None:
        if self._note is not None:
            self._is_noted = True
            now = datetime.now().astimezone()
            since = (now - timedelta(seconds=seconds_ago)).isoformat(timespec="seconds")
            until = (now + timedelta(seconds=seconds_left)).isoformat(timespec="seconds")
            self._note(self._model_name, ServiceWait(since, until, reason))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _time_in(seconds: float) -> str:
    end = datetime.now().astimezone() + timedelta(seconds=seconds)
    return f"{end:%Y-%m-%d %H:%M:%S}"
