"""Whether the metrics that callbacks watch are ever logged."""

from collections.abc import Collection, Sequence

from nip.errors import UnknownNameError, unknown_name
from nip.trainers.callback import Callback


def check_monitored(callbacks: Sequence[Callback], known: Collection[str] | None) -> None:
    """Refuse to watch a metric that there will never be.

    Parameters
    ----------
    callbacks : sequence of Callback
        Who watches.
    known : collection of str, optional
        Names of all metrics that may be logged; None if they are not known yet.

    Raises
    ------
    UnknownNameError
        If a metric is not among them.
    """
    if known is None:
        return
    for callback in callbacks:
        for name in callback.monitored:
            if name not in known:
                raise UnknownNameError(
                    f"The callback {type(callback).__name__} has monitor={name!r}, which is never "
                    f"logged here. {unknown_name('metric', name, known)}"
                )
