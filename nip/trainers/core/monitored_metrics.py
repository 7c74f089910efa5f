"""Check that the metrics which callbacks monitor are logged."""

from collections.abc import Collection, Sequence

from nip.errors import UnknownNameError, did_you_mean
from nip.trainers.core.callback import Callback


def check_monitored(
    callbacks: Sequence[Callback],
    known: Collection[str] | None,
    *,
    has_own_evaluation: bool = False,
) -> None:
    """Raise ``UnknownNameError`` if a callback monitors a metric that is never logged.

    Parameters
    ----------
    known : collection of str, optional
        Names of all metrics that may be logged; None if they are not known yet.
    has_own_evaluation : bool
        Whether the evaluation is exchanged, so that any metric whose name begins with ``test_``
        may be logged.
    """
    if known is None:
        return
    for callback in callbacks:
        for name in callback.monitored:
            may_come = has_own_evaluation and name.startswith("test_")
            if name not in known and not may_come:
                raise UnknownNameError(
                    f"callbacks: {type(callback).__name__} has monitor={name!r}, which is never "
                    f"logged here. {suggest_metric(name, known)}"
                )


def suggest_metric(name: str, known: Collection[str]) -> str:
    """Suggest a metric in place of an unknown one.

    Those of single agents are too many to list, so one is an example.
    """
    of_all = sorted(each for each in known if "." not in each)
    of_agents = sorted(each for each in known if "." in each)
    example = f", and those of single agents, such as {of_agents[0]}" if of_agents else ""
    return f"{did_you_mean(name, known)} Choose one of {', '.join(of_all)}{example}.".strip()
