"""Flags of the main command line, against those that Hydra documents."""

import re

import pytest

from nip.command_line.flags import flag_parser, parse_flags
from nip.errors import ParameterError
from tests.command_line_process import call_command_line

REFUSED = {"--experimental-rerun"}
"""Flags of Hydra that read a pickled file."""


def test_the_flags_are_those_that_hydra_documents(working_folder) -> None:
    text = call_command_line(["--hydra-help"]).stdout
    flags = text.partition("== Flags ==")[2].partition("== Configuration groups")[0]
    documented = set(re.findall(r"^(-[\w,-]+)", flags, re.M))
    ours = {",".join(action.option_strings) for action in flag_parser()._actions}
    assert {"--help,-h", "--multirun,-m", "--cfg,-c"} < documented
    assert {names for names in ours if names} == documented - REFUSED


def test_flags_and_overrides_come_in_any_order() -> None:
    flags = parse_flags(["seed=1", "--cfg", "job", "rl.lr=2", "--resolve", "-cd", "mine", "~x"])
    assert flags.overrides == ["seed=1", "rl.lr=2", "~x"]
    assert (flags.cfg, flags.resolve, flags.config_dir) == ("job", True, "mine")
    assert not flags.multirun


@pytest.mark.parametrize(
    "arguments",
    [["--sed=1"], ["--cfg"], ["--cfg", "jobs"], ["-m", "--cfg", "job"], ["--multi", "seed=1,2"]],
    ids=" ".join,
)
def test_what_is_no_flag_is_refused(arguments: list[str]) -> None:
    with pytest.raises(ParameterError, match=r"Parameters are given without dashes"):
        parse_flags(arguments)
