"""A new built-in trainer, protocol or scenario needs files of its own and no edit of another."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.source_files import REPOSITORY

NEW_FILES = {
    "nip/trainers/builtin/damped_ppo_spec.py": '''
from dataclasses import dataclass

from nip.parameters import SubParameters, register_parameter_class
from nip.parameters.specs import register_trainer_spec
from nip.parameters.types import Positive
from nip.trainers.base_specs import RL_TRAINER


@register_parameter_class
@dataclass
class DampedPpoParameters(SubParameters):
    """Parameters of PPO with a damped loss."""

    damping: Positive = 1.0
    """Divisor of the loss."""


register_trainer_spec(
    "damped_ppo",
    RL_TRAINER.extended(reads=("ppo",), ignores=("ppo.kl_target",)),
    parameters=DampedPpoParameters,
)
''',
    "nip/trainers/builtin/damped_ppo.py": """
from nip.trainers.builtin.vanilla_ppo import VanillaPpoTrainer
from nip.trainers.registry import register_trainer


@register_trainer("damped_ppo")
class DampedPpoTrainer(VanillaPpoTrainer):
    def _get_loss_module_and_gae(self):
        loss_module, estimator = super()._get_loss_module_and_gae()
        print("damping", self.hyper_params.damped_ppo.damping)
        return loss_module, estimator
""",
    "nip/protocols/builtin/two_words.py": '''
from dataclasses import dataclass

from nip.parameters import SubParameters, register_parameter_class
from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import register_protocol
from nip.protocols.rules import ProtocolRules


@register_parameter_class
@dataclass
class TwoWordsParameters(SubParameters):
    """Parameters of the protocol ``two_words``."""

    num_words: int = 2
    """Messages of the prover before the decision."""


@register_protocol("two_words", parameters=TwoWordsParameters, reads=(), has_fixed_order=True)
class TwoWordsProtocol(ProtocolHandler):
    def make_rules(self):
        num_words = self.hyper_params.two_words.num_words
        return ProtocolRules(
            agents=("prover", "verifier"),
            channels={"main": ("prover", "verifier")},
            timetables=((*[{"prover": ("main",)}] * num_words, {"verifier": ("main",)}),),
            max_message_rounds=num_words + 1,
        )
''',
    "nip/scenarios/second_toy_spec.py": """
from nip.parameters import ToyAgentParameters
from nip.parameters.specs import ScenarioSpec, register_scenario_spec

register_scenario_spec(
    "second_toy",
    ScenarioSpec("tensordict", ToyAgentParameters, builtin_datasets=("witness",), reads=()),
)
""",
    "nip/scenarios/second_toy.py": """
from nip.scenario_base.registry import register_scenario
from nip.scenarios.toy import ToyScenario


@register_scenario("second_toy")
class SecondToyScenario(ToyScenario):
    pass
""",
}

SCRIPT = """
import contextlib, io, runpy, sys, warnings
from pathlib import Path

import nip
from nip.parameters import HyperParameters
from nip.parameters.tree.reference import parameter_reference

assert Path(nip.__file__).is_relative_to(Path.cwd()), nip.__file__


def help_text(*topics):
    sys.argv = ["scripts/run_experiment.py", "--help", *topics]
    with contextlib.redirect_stdout(io.StringIO()) as written, contextlib.suppress(SystemExit):
        runpy.run_path(sys.argv[0], run_name="__main__")
    return written.getvalue()


def unused(**given):
    choices = {"scenario": "second_toy", "dataset": "witness", "trainer": "vanilla_ppo"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        HyperParameters(**{**choices, **given})
    return [str(each.message).rstrip(".") for each in caught]


# The trees of other trainers hold the new groups as well, whatever was looked up before.
tree = HyperParameters(scenario="toy", dataset="witness", trainer="reinforce").to_dict()
assert tree["damped_ppo"] == {"_type": "DampedPpoParameters", "damping": 1.0}
assert tree["two_words"] == {"_type": "TwoWordsParameters", "num_words": 2}

overview, details = help_text(), help_text("damped_ppo", "two_words")
for word in ("damped_ppo", "two_words", "second_toy"):
    assert word in overview, overview
assert "damped_ppo.damping = 1.0" in details and "Divisor of the loss." in details, details
assert "two_words.num_words = 2" in details, details
reference = parameter_reference()
assert "| `damped_ppo.damping` | a finite number, above 0 | `1.0` |" in reference
assert "## Agents of `second_toy`" in reference

assert unused(damped_ppo={"damping": 2}) == [
    "damped_ppo.damping=2.0 has no effect unless trainer='damped_ppo'"
]
assert unused(two_words={"num_words": 1}) == [
    "two_words.num_words=1 has no effect unless interaction_protocol='two_words'"
]
assert unused(
    trainer="damped_ppo",
    interaction_protocol="two_words",
    damped_ppo={"damping": 2},
    ppo={"clip_epsilon": 0.1, "kl_target": 0.1},
    reinforce={"use_advantage_and_critic": True},
    two_words={"num_words": 1},
    protocol_common={"verifier_first": False},
    code_validation={"apps_exclude_flagged": False},
) == [
    "ppo.kl_target=0.1 has no effect unless trainer='vanilla_ppo'",
    "reinforce.use_advantage_and_critic=True has no effect unless trainer='reinforce'",
    "code_validation.apps_exclude_flagged=False has no effect unless "
    "scenario='code_validation'",
    "protocol_common.verifier_first=False has no effect with interaction_protocol='two_words', "
    "whose order is fixed",
]

from nip import run_experiment

result = run_experiment(
    HyperParameters(
        scenario="second_toy",
        dataset="witness",
        trainer="damped_ppo",
        interaction_protocol="two_words",
        damped_ppo={"damping": 2},
        rl={"num_iterations": 1, "frames_per_batch": 24, "minibatch_size": 12,
            "num_test_iterations": 1, "normalize_observations": False},
    ),
    run_id="new",
    progress=False,
)
assert "test_mean_accuracy" in result.metrics, result.metrics
"""


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_new_built_in_parts_need_no_edit_of_another_file(tmp_path: Path) -> None:
    for folder in ("nip", "scripts", "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignored)
    for path, text in NEW_FILES.items():
        (tmp_path / path).write_text(text)
    finished = run(SCRIPT, tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "damping 2.0" in finished.stdout


LOOKUPS = """
import sys
from nip.parameters.specs import trainer_specs
from nip.trainers.registry import trainer_registry


def builtin():
    prefix = "nip.trainers.builtin."
    return {name.removeprefix(prefix) for name in sys.modules if name.startswith(prefix)}


assert "vanilla_ppo" in trainer_specs
assert builtin() == {"vanilla_ppo_spec"}, builtin()
assert "no_such_trainer" not in trainer_specs
text = ("pure_text_ei", "pure_text_grpo", "pure_text_malt")
names = (*text, "reinforce", "solo_agent", "spg", "vanilla_ppo")
specs = {f"{name}_spec" for name in names}
assert builtin() == specs, builtin()
assert "torch" not in sys.modules

assert "vanilla_ppo" in trainer_registry
assert builtin() == specs | {"vanilla_ppo"}, builtin()
assert "no_such_trainer" not in trainer_registry
assert builtin() == specs | {name.removesuffix("_spec") for name in specs}, builtin()
callbacks = [name for name in sys.modules if name.startswith("nip.trainers.callbacks.")]
assert callbacks == [], callbacks
"""


def test_looking_up_a_trainer_imports_no_other_trainer() -> None:
    finished = run(LOOKUPS, REPOSITORY)
    assert finished.returncode == 0, finished.stderr
