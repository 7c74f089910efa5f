"""What the terminal says of an experiment with language models that was not run."""

import pytest
from rich.console import Console

from nip.command_line.text_report import text_plan_table
from nip.experiment_settings import ExperimentSettings
from nip.run import prepare_experiment
from tests.text_experiments import make_text_params

# That is what some of these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:No agent learns in this run")


def shown(**changes) -> str:
    params = make_text_params(**changes)
    plan = prepare_experiment(params, settings=ExperimentSettings(progress=False))
    console = Console(width=120)
    with console.capture() as capture:
        console.print(text_plan_table(params, plan))
    return " ".join(capture.get().split())


def test_it_says_what_is_asked_and_what_it_costs():
    text = shown(text_rl={})
    for words in (
        "code_validation, dataset test",
        "2, with a fine-tuning after each but the last",
        "24, tests included",
        "72 at most, without retries",
        "use_dummy_api=true",
        "rehearsal: gpt-4o-mini-2024-07-18",
        "fine-tuning) expected",
        "if no call is repeated",
    ):
        assert words in text
    assert "no price is known" not in text


def test_it_names_models_whose_price_nobody_knows():
    assert "my-own: no price is known" in shown(
        every_agent={"model_name": "my-own", "freeze_agent": True}
    )


@pytest.mark.parametrize(("frozen", "word"), [(True, "no"), (False, "yes")])
def test_it_says_who_learns(frozen, word):
    text = shown(every_agent={"freeze_agent": frozen}, text_rl={})
    # The last message of the prover, which nobody reads, is not asked for.
    for agent, calls in (("prover", 24), ("verifier", 48)):
        assert f"{agent} │ {word} │ {calls}" in text
