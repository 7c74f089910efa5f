"""Import paths that users rely on keep working, wherever the code behind them lives."""

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

# Every dotted name in the published guide to new trainers that our interface follows.
GUIDE = [
    "nip.experiment_settings.ExperimentSettings",
    "nip.factory.build_scenario_instance",
    "nip.parameters.HyperParameters",
    "nip.parameters.parameters_base.SubParameters",
    "nip.parameters.trainers.TextRlParameters",
    "nip.parameters.types.TrainerType",
    "nip.rl_objectives.Objective",
    "nip.scenario_base.agents.PureTextSharedModelGroup.create_supervised_fine_tune_job",
    "nip.scenario_instance.ScenarioInstance",
    "nip.trainers.registry.register_trainer",
    "nip.trainers.rl_pure_text_base.PureTextRlTrainer._get_log_stats",
    "nip.trainers.rl_pure_text_base.PureTextRlTrainer._sample_rollouts",
    "nip.trainers.rl_pure_text_base.PureTextRlTrainer._stage_create_fine_tune_jobs",
    "nip.trainers.rl_tensordict_base.TensorDictRlTrainer._get_loss_module_and_gae",
    "nip.trainers.rl_tensordict_base.TensorDictRlTrainer._run_test_loop",
    "nip.trainers.rl_tensordict_base.TensorDictRlTrainer._run_train_loop",
    "nip.trainers.trainer_base.IterationContext",
    "nip.trainers.trainer_base.TensorDictTrainer._build_test_context",
    "nip.trainers.trainer_base.TensorDictTrainer._build_train_context",
    "nip.trainers.trainer_base.TensorDictTrainer.train",
    "nip.trainers.trainer_base.Trainer.train",
    "nip.trainers.trainer_base.attach_progress_bar",
    "nip.utils.nested_array_dict.NestedArrayDict",
]

# Paths in the guides and the reference of version 0.1.0, before the modules moved.
SHOWN = [
    "nip.pretrained.load_pretrained",
    "nip.run_store.history.RunHistory",
    "nip.run_store.job_table.FineTuningJobRow",
    "nip.run_store.rollout_table.RolloutTable",
    "nip.trainers.callback.Callback",
    "nip.trainers.callback_registry.register_callback",
    "nip.trainers.components.TrainerComponents",
    "nip.trainers.context.TrainingContext",
    "nip.trainers.learner.Learner",
    "nip.trainers.learner_building.build_learner",
    "nip.trainers.loss_terms.register_loss_term",
    "nip.trainers.lr_schedules.build_lr_scheduler",
    "nip.trainers.optimizers.build_optimizer",
    "nip.trainers.rollout_metrics.rollout_metrics",
    "nip.trainers.rollout_samples.save_rollouts",
    "nip.trainers.trainer.Trainer",
    "nip.trainers.update_step.UpdateStep",
]


@pytest.mark.parametrize("dotted", [*GUIDE, *SHOWN])
def test_a_documented_path_works(dotted: str) -> None:
    parts = dotted.split(".")
    # Modules are in lower case; what follows them are classes, functions and methods.
    last = next(
        (i for i, part in enumerate(parts) if part[0].isupper()),
        len(parts) - 1,
    )
    module = importlib.import_module(".".join(parts[:last]))
    assert reduce(getattr, parts[last:], module) is not None


def test_the_list_has_every_name_of_the_guide(repository: Path) -> None:
    guide = repository.parent / "shared/seeds/004_nip_creating_a_new_trainer.rst"
    if not guide.is_file():
        pytest.skip(f"{guide.name} does not lie beside the repository")
    text = guide.read_text(encoding="utf-8")
    named = set(re.findall(r"<(nip(?:\.\w+)+)>", text)) | set(
        re.findall(r"from (nip(?:\.\w+)+) import", text)
    )
    assert named
    missing = [
        name for name in named if not any(f"{path}.".startswith(f"{name}.") for path in GUIDE)
    ]
    assert not missing
