"""A study that trains two local models against each other, from scratch and without network.

Both agents start from one tiny model, which is made here, and learn adapters of their own.
"""

from pathlib import Path
from typing import Any

from nip import HyperParameters, run_experiment
from nip.experiment_settings import ExperimentSettings
from nip.run_store import open_database
from nip.scenarios.quotes.tiny_models.corpus import Variant, make_corpus
from nip.scenarios.quotes.tiny_models.pretraining import TinyModelOptions, pretrain

BASE = "models/tiny"


def make_base_model() -> None:
    """Write a model that speaks the language of the scenario, in place of a downloaded one."""
    corpus = make_corpus(Variant("adp"), 200, num_facts=2, seed=0)
    dialogues = [*corpus["prover"], *corpus["verifier"]]
    options = TinyModelOptions(d_model=32, max_exercise_steps=0, num_steps=150, lr=1e-2)
    pretrain(dialogues, dialogues, Path(BASE), options, seed=0)


def parameters(**agents: Any) -> HyperParameters:
    """Return the study; ``agents`` are parameters of both agents."""
    return HyperParameters(
        scenario="quotes",
        dataset="facts",
        trainer="pure_text_ei",
        interaction_protocol="adp",
        quotes={"num_facts": 2, "num_train": 200, "num_test": 20},
        agents={
            "_default": {
                "model_name": BASE,
                "max_tokens_per_message": 12,
                "fine_tune_from_scratch": False,
                **agents,
            }
        },
        rl={"num_iterations": 3, "rollouts_per_iteration": 40},
        fine_tuning={"backend": "local", "n_epochs": 2},
        local_training={"learning_rate": 0.01, "lora_rank": 4},
    )


def settings(**more: Any) -> ExperimentSettings:
    """Return settings that suit a model which often breaks the rules."""
    return ExperimentSettings(progress=False, max_invalid_share=1.0, **more)


def print_jobs(folder: Path) -> None:
    """Print the job of each group after each iteration."""
    with open_database(folder) as database:
        for job in database.jobs.all():
            print(job.iteration, job.model_group, job.status, job.num_examples, "examples")


if __name__ == "__main__":
    make_base_model()
    result = run_experiment(
        parameters(model_provider="local"), run_id="local_study", settings=settings()
    )
    print_jobs(result.folder)
