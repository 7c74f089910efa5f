"""The moving mean of plots."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.run_store.report.plot_style import moving_mean


def test_moving_mean_leaves_nan_out_and_shrinks_at_the_ends():
    means = moving_mean(np.array([1.0, 2.0, math.nan, 4.0, 9.0]), 3)
    assert means == pytest.approx([1.0, 1.5, 3.0, 6.5, 9.0])
    assert np.isnan(moving_mean(np.array([math.nan]), 5)).all()


@given(
    slope=st.floats(-5, 5),
    start=st.floats(-5, 5),
    length=st.integers(1, 30),
    window=st.integers(1, 40),
)
def test_moving_mean_keeps_straight_lines(slope, start, length, window):
    line = start + slope * np.arange(length)
    assert moving_mean(line, window) == pytest.approx(line, abs=1e-9)
