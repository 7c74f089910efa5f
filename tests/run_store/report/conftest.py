"""Figures kept in memory."""

import pytest


@pytest.fixture
def figures(monkeypatch):
    """Collect the figures instead of writing them."""
    collected = []
    for module in ("comparison_plot", "learning_curve"):
        monkeypatch.setattr(
            f"nip.run_store.report.{module}.save_figure",
            lambda figure, _path: collected.append(figure),
        )
    return collected
