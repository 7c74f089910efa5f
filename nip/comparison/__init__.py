"""Comparison of runs: statistics over seeds, paired differences, tables and figures."""

from typing import TYPE_CHECKING

from nip.utils.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from nip.comparison.compare import compare_runs
    from nip.comparison.results import Comparison, ComparisonOptions
    from nip.comparison.tidy import load_runs

__all__ = ["Comparison", "ComparisonOptions", "compare_runs", "load_runs"]

# SciPy and numpy are imported when a comparison is made.
__getattr__ = lazy_exports(
    __name__,
    {
        "Comparison": "nip.comparison.results",
        "ComparisonOptions": "nip.comparison.results",
        "compare_runs": "nip.comparison.compare",
        "load_runs": "nip.comparison.tidy",
    },
)
