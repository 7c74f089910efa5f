"""Policy gradients of local models, killed and resumed, end as if they had not been killed."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="the extra lm-local is missing")

from safetensors.numpy import load_file

from nip.run_store.reading import read_state
from nip.scenarios.quotes.tiny_models.corpus import Variant, make_corpus
from nip.scenarios.quotes.tiny_models.pretraining import TinyModelOptions, pretrain
from nip.trainers.rl_pure_text_base import TRAINER_STATE_KEY
from tests.end_to_end.text_runs import RUN, Start, everything
from tests.fork_server import KILLED, fork_server

KILLS = {
    "in the middle of the trees": "die_at_call(RunJournal, 'put', 40, after=True)",
    "with one of two jobs planned": "die_when_job_is_saved('PLANNED', 1)",
    "while the last jobs run": "die_when_job_is_saved('RUNNING', 3)",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a prover and a verifier that have just learnt the form of their answers."""
    folder = tmp_path_factory.mktemp("models")
    corpus = make_corpus(Variant("adp"), 300, num_facts=6, seed=3)
    options = TinyModelOptions(d_model=32, max_exercise_steps=0, num_steps=60)
    for seed, (agent, conversations) in enumerate(corpus.items()):
        pretrain([], conversations, folder / agent, options, seed)
    return folder


def parameters(models: Path) -> dict[str, Any]:
    agent = {"model_provider": "local", "max_tokens_per_message": 12}
    return {
        "scenario": "quotes",
        "dataset": "facts",
        "trainer": "pure_text_grpo",
        "interaction_protocol": "adp",
        "agents": {
            name: {**agent, "model_name": str(models / name)} for name in ("prover", "verifier")
        },
        "rl": {"num_iterations": 3, "rollouts_per_iteration": 16},
        "pure_text_grpo": {"baseline": "agent", "scale_rewards": "batch"},
        "text_rl": {"test_scheme": "last"},
        "quotes": {"num_test": 20},
        "fine_tuning": {"backend": "local"},
        "local_training": {
            "adaptation": "full",
            "keep_optimizer_state": True,
            # A checkpoint after each update.
            "checkpoint_minutes": 1e-9,
        },
    }


def start(folder: Path, parameters: dict[str, Any], kill: str = "") -> int:
    """Run the experiment; models that it trains have relative names, so that runs are equal."""
    folder.mkdir(exist_ok=True)
    preparation = f"os.chdir({str(folder)!r})\n{kill}"
    work = Start(Path("runs"), parameters, preparation).to_dict()
    ending = fork_server().call(RUN, work, seconds=900)
    assert ending.exit_code in (0, KILLED), ending.stderr
    return ending.exit_code


def results(folder: Path) -> dict[str, Any]:
    """Return all that a run has left, with weights, moments of the optimizer, and baselines."""
    runs = folder / "runs"
    tensors = {
        str(path.relative_to(runs)): {
            name: each.tobytes() for name, each in load_file(path).items()
        }
        for path in sorted((runs / "run" / "local_jobs").glob("*/*/*.safetensors"))
    }
    baselines = read_state(runs / "run", TRAINER_STATE_KEY)["baselines"]
    return {**everything(runs), "tensors": tensors, "baselines": baselines}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_run_ends_with_the_same_weights_and_baselines(
    models: Path, tmp_path: Path
) -> None:
    given = parameters(models)
    assert start(tmp_path / "never", given) == 0
    straight = results(tmp_path / "never")
    # Weights of two models after each of two iterations, and the latest moments of both.
    assert len(straight["tensors"]) == 6
    assert set(straight["baselines"]) == {"prover", "verifier"}
    for number, (name, kill) in enumerate(KILLS.items()):
        folder = tmp_path / str(number)
        assert start(folder, given, kill) == KILLED, name
        assert start(folder, given) == 0, name
        found = results(folder)
        for part, expected in straight.items():
            assert found[part] == expected, (name, part)
