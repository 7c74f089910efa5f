"""The guide on data lists the options and columns of the script."""

import re
from dataclasses import fields

from nip.commands.code_validation_dataset import build_parser
from nip.scenarios.code_validation.generation.datapoints import GeneratedDatapoint
from nip.scenarios.code_validation.generation.mutations.mutants import MUTATIONS
from nip.scenarios.code_validation.generation.pair_generator import (
    MUTANTS_PER_VARIANT,
    VARIANTS_PER_REQUEST,
)
from nip.scenarios.code_validation.generation.problem_tests import NUM_GENERATED_INPUTS, STEP_FACTOR
from nip.scenarios.code_validation.generation.rewrites.variants import REWRITES
from nip.scenarios.code_validation.generation.sandbox import worker
from tests.doc.pages import DOC

TEXT = (DOC / "guides" / "code_validation_data.md").read_text(encoding="utf-8")


def test_the_guide_lists_every_option() -> None:
    rows = re.findall(r"^\| (`--.*?) \|", TEXT, flags=re.MULTILINE)
    listed = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    actions = build_parser()._actions
    assert listed == {option for action in actions for option in action.option_strings[-1:]} - {
        "--help"
    }


def test_the_guide_lists_every_column() -> None:
    table = TEXT.split("| column | |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(field.name for field in fields(GeneratedDatapoint))


def test_the_numbers_of_the_guide_are_those_of_the_code() -> None:
    words = " ".join(TEXT.split())
    assert f"memory ({worker.MEMORY_BYTES // 2**20} MiB)" in words
    assert f"processor time ({worker.CPU_SECONDS} s)" in words
    assert f"{NUM_GENERATED_INPUTS} generated inputs" in words
    assert STEP_FACTOR == 20 and "twenty times as many" in words
    assert MUTANTS_PER_VARIANT == 16 and "Sixteen such mutants" in words
    assert 20 <= len(REWRITES) <= 25 and "some twenty rewrites" in words
    assert len(MUTATIONS) > 30 and "over thirty kinds of mistakes" in words
    assert 1 + VARIANTS_PER_REQUEST == 5 and "takes five requests or more" in words
