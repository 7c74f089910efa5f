"""Warnings on the terminal: each of ours is one line, and is seen once."""

import warnings

from nip.command_line.errors import show_warnings_plainly
from nip.errors import warn_user


def test_a_warning_is_seen_once_whatever_libraries_do_to_the_filters(capsys, monkeypatch) -> None:
    # Both are put back after the test.
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        show_warnings_plainly()
        for _ in range(3):
            warn_user("It has no effect.")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
        warn_user("Nor has this.")
    assert capsys.readouterr().err == "warning: It has no effect.\nwarning: Nor has this.\n"
