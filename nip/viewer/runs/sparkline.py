"""Small pictures of a metric for the list of runs."""

from nip.viewer.runs.metrics import Points

WIDTH, HEIGHT = 120, 28
_MARGIN = 2
_MAX_POINTS = 60


def sparkline(points: Points) -> str:
    """Return the ``points`` attribute of an SVG polyline of ``WIDTH`` by ``HEIGHT`` pixels.

    Empty with fewer than two values.
    """
    known = [(iteration, value) for iteration, value in points if value is not None]
    stride = max(1, -(-len(known) // _MAX_POINTS))
    known = [*known[:-1:stride], *known[-1:]]
    if len(known) < 2:
        return ""
    first, last = known[0][0], known[-1][0]
    low, high = min(value for _, value in known), max(value for _, value in known)
    width, height = WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN
    return " ".join(
        f"{_MARGIN + width * (iteration - first) / (last - first):.1f},"
        f"{HEIGHT - _MARGIN - height * ((value - low) / (high - low) if high > low else 0.5):.1f}"
        for iteration, value in known
    )
