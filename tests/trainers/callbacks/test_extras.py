"""Optional packages that callbacks need."""

import sys

import pytest

from nip.errors import PluginError
from nip.trainers.callbacks.extras import require_extra


def test_a_missing_package_is_named_with_the_two_ways_out():
    with pytest.raises(PluginError) as caught:
        require_extra("no_such_package_here", "painter")
    assert str(caught.value) == (
        "The callback 'painter' needs the package no_such_package_here, which is not installed. "
        "Run pip install 'nip[no_such_package_here]', or leave painter out of callbacks."
    )


def test_an_installed_package_is_accepted_without_its_import(tmp_path, monkeypatch):
    (tmp_path / "slow_extra_package.py").write_text("raise AssertionError('it was imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    require_extra("slow_extra_package", "painter")
    assert "slow_extra_package" not in sys.modules
