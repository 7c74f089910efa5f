"""Parameters of runs that start from another run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from nip.parameters.fields.outside_names import PLAIN_TEXT
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class

BaseRunType = Literal["none", "parameters", "rerun_tests"]
"""How a run uses another one."""

PRESERVED_FOR_RERUN_TESTS = (
    "base_run",
    "rl.num_test_iterations",
    "text_rl.save_transcripts",
    "text_rl.test_on_whole_dataset",
    "text_rl.test_scheme",
    "text_rl.transcript_format",
)
"""Parameters that keep their new values when the tests of another run are run again."""


@register_parameter_class
@dataclass
class BaseRunParameters(SubParameters):
    """Another run, whose parameters or models this run uses."""

    base_run_type: BaseRunType = "none"
    """``parameters``: use its parameters as defaults; ``rerun_tests``: test its models after each \
iteration."""

    run_id: Annotated[str | None, PLAIN_TEXT] = None
    """Name of the other run, in the same ``runs_dir``."""

    rerun_tests_force_test_during_training_state: bool = True
    """Test after every iteration of the other run, regardless of ``text_rl.test_scheme``."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("run_id",),
            "unless base_run.base_run_type is 'parameters' or 'rerun_tests'",
            lambda params, _: params.base_run_type == "none",
        ),
        UnusedOptionRule(
            ("rerun_tests_force_test_during_training_state",),
            "unless base_run.base_run_type='rerun_tests'",
            lambda params, _: params.base_run_type != "rerun_tests",
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require ``run_id`` if ``base_run_type`` needs it."""
        if self.base_run_type != "none" and not self.run_id:
            yield (
                f"{at('run_id')} must name a run for {at('base_run_type')}="
                f"{self.base_run_type!r}, got {self.run_id!r}. Give the name of its folder."
            )
