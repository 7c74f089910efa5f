"""The package exports its public names without importing their modules beforehand."""

import subprocess
import sys

import pytest

import nip


@pytest.mark.parametrize("name", nip.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(nip, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'nip' has no attribute 'nothing'"):
        nip.nothing  # noqa: B018


def test_importing_the_package_imports_none_of_its_rooms() -> None:
    program = "import sys, nip; print(*sorted(name for name in sys.modules if 'nip.' in name))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    light = ["deferred_compiler", "lazy_exports"]
    expected = ["nip.moved_modules", "nip.utils", *(f"nip.utils.{name}" for name in light)]
    assert shown.stdout.split() == expected, shown.stderr
