"""What is told of an experiment with language models before anything is asked or paid."""

import re
from pathlib import Path

import pytest

from nip.errors import NipError, ParameterError, PluginError, UnknownNameError
from nip.experiment.checks import check_experiment
from nip.experiment_settings import ExperimentSettings
from nip.language_models.fine_tuning import (
    FineTuningBackend,
    fine_tuning_backend_registry,
    register_fine_tuning_backend,
)
from nip.language_models.provider_registry import (
    ProvidedChatModel,
    chat_provider_registry,
    register_chat_provider,
)
from nip.parameters import HyperParameters
from nip.scenario_base.registry import scenario_registry
from nip.scenario_base.text.scenario import TextScenario
from tests.scenario_base.text.dialogues import PROMPTS
from tests.text_experiments import make_text_params


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def check(params: HyperParameters) -> None:
    check_experiment(params, ExperimentSettings(progress=False))


def paid(**changes) -> HyperParameters:
    return make_text_params(agents={"_default": changes})


def test_a_rehearsal_needs_nothing(working_folder: Path) -> None:
    check(make_text_params())
    assert list(working_folder.iterdir()) == []


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="OPENAI_API_KEY"):
        check(paid())
    with pytest.raises(ParameterError, match="MY_KEY"):
        check(paid(api_key_variable="MY_KEY"))
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    check(paid())


def test_a_server_of_ones_own_needs_no_key() -> None:
    check(paid(base_url="http://localhost:8000/v1"))


def test_one_agent_that_cannot_be_reached_is_enough() -> None:
    agents = {"_default": {"use_dummy_api": True}, "verifier": {"use_dummy_api": False}}
    with pytest.raises(ParameterError, match="OPENAI_API_KEY"):
        check(make_text_params(agents=agents))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (paid(model_provider="opennai"), "opennai.*Did you mean 'openai'"),
        (make_text_params(rehearsal={"brain": "dialog"}), "dialog.*Did you mean 'dialogue'"),
        (make_text_params(rehearsal={"faults": ["rate_limitt"]}), "rate_limit"),
    ],
)
def test_misspelt_parts_are_named_with_a_suggestion(params: HyperParameters, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        check(params)


@pytest.mark.filterwarnings("ignore:No agent learns:nip.errors.NipWarning")
def test_what_trains_is_checked_only_where_somebody_learns() -> None:
    local = {"model_provider": "scripted", "model_name": "scripted_answers.yaml"}
    agents = {"_default": {**local, "model_name": str(RULES), "freeze_agent": True}}
    check(make_text_params(agents=agents, fine_tuning={"backend": "opennai"}))
    agents["_default"]["freeze_agent"] = False
    check(
        make_text_params(
            agents=agents, fine_tuning={"backend": "opennai"}, rl={"num_iterations": 1}
        )
    )
    with pytest.raises(UnknownNameError, match=r"opennai.*openai"):
        check(make_text_params(agents=agents, fine_tuning={"backend": "opennai"}))


RULES = PROMPTS.parent / "rehearsal_rules.yaml"


def test_a_rehearsed_fine_tuning_is_checked_too() -> None:
    with pytest.raises(UnknownNameError, match="opennai"):
        check(make_text_params(fine_tuning={"backend": "opennai"}))


def test_a_brain_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ParameterError, match=r"no_rules\.yaml"):
        check(make_text_params(rehearsal={"brain_file": "no_rules.yaml"}))


@pytest.mark.filterwarnings("ignore:No agent learns:nip.errors.NipWarning")
def test_a_mock_model_that_cannot_be_trained_is_refused_where_somebody_learns() -> None:
    rehearsal = {"brain": "local", "brain_file": "no_folder"}
    with pytest.raises(ParameterError, match=r"rehearsal\.brain='local'.*'prover' learns"):
        check(make_text_params(rehearsal=rehearsal))
    for frozen in ({"rl": {"num_iterations": 1}}, {"every_agent": {"freeze_agent": True}}):
        with pytest.raises(NipError, match="no_folder"):
            check(make_text_params(rehearsal=rehearsal, **frozen))


def test_a_missing_dataset_is_told_with_the_way_to_get_it() -> None:
    params = make_text_params().with_changes({"dataset": "my_programs"})
    with pytest.raises(NipError, match=r"my_programs[\s\S]*create_cv_dataset\.py"):
        check(params)


@pytest.mark.parametrize("content", [None, "Say something about $qestion."])
def test_prompts_of_ones_own_must_be_there_and_right(content: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    if content is not None:
        (folder / "nip").mkdir(parents=True)
        for agent in ("prover", "verifier"):
            (folder / "nip" / f"{agent}.txt").write_text(content)
    params = make_text_params(code_validation={"prompt_folder": str(folder)})
    with pytest.raises(NipError, match=re.escape(str(folder) if content is None else "qestion")):
        check(params)


def test_a_protocol_without_a_text_side_is_refused() -> None:
    params = make_text_params(interaction_protocol="multi_channel_test")
    with pytest.raises(NipError, match="multi_channel_test"):
        check(params)


def test_an_agent_that_the_protocol_lacks_is_refused() -> None:
    agents = {"_default": {"use_dummy_api": True}, "proover": {}}
    with pytest.raises(ParameterError, match=r"agents\.proover.*Did you mean 'prover'"):
        check(make_text_params(agents=agents))


def test_a_group_named_after_an_agent_outside_of_it_is_refused() -> None:
    agents = {
        "_default": {"use_dummy_api": True},
        "verifier": {"use_dummy_api": True, "shared_model_group": "prover"},
    }
    with pytest.raises(ParameterError, match=r"agents\.verifier\.shared_model_group"):
        check(make_text_params(agents=agents))


def test_random_stances_need_one_prover() -> None:
    params = make_text_params(
        interaction_protocol="debate", protocol_common={"randomize_prover_stance": True}
    )
    with pytest.raises(ParameterError, match="randomize_prover_stance"):
        check(params)


def test_a_thousand_paid_iterations_are_not_begun_by_default() -> None:
    params = paid(base_url="http://localhost:8000/v1").with_changes({"rl.num_iterations": 1000})
    with pytest.raises(ParameterError, match=r"rl\.num_iterations=1000 is the default for netw"):
        check(params)


def test_a_place_where_no_cache_can_be_is_told_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no cache")
    for place in (tmp_path, tmp_path / "file", tmp_path / "file" / "cache.db"):
        settings = ExperimentSettings(progress=False, response_cache=place)
        with pytest.raises(ParameterError, match=r"settings\.response_cache=.* cannot be used"):
            check_experiment(make_text_params(), settings)
    fine = ExperimentSettings(progress=False, response_cache=tmp_path / "new" / "cache.db")
    check_experiment(make_text_params(), fine)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("provider", ["local", "scripted"])
def test_a_model_on_this_machine_is_not_trained_by_openai(
    monkeypatch: pytest.MonkeyPatch, provider: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    monkeypatch.setattr("nip.experiment.text_checks.check_access", lambda _: None)
    params = paid(model_provider=provider, model_name=str(tmp_path))
    with pytest.raises(ParameterError, match=f"cannot train .* model_provider='{provider}'"):
        check(params)
    check(params.with_changes({"rl.num_iterations": 1}))


def test_an_incomplete_provider_backend_or_scenario_is_refused() -> None:
    class Half(ProvidedChatModel):
        """Lacks complete."""

    class Quarter(FineTuningBackend):
        """Lacks everything but a way to be checked."""

        @classmethod
        def check_access(cls, model: object, context: object) -> None: ...

    class Rest(TextScenario):
        """Lacks its data."""

    register_chat_provider("half")(Half)
    register_fine_tuning_backend("quarter")(Quarter)
    original = scenario_registry["code_validation"]
    try:
        with pytest.raises(PluginError, match=r"provider 'half' is incomplete: .* complete\."):
            check(paid(model_provider="half"))
        with pytest.raises(PluginError, match=r"backend 'quarter' is incomplete: .* upload"):
            check(make_text_params(fine_tuning={"backend": "quarter"}))
        scenario_registry.unregister("code_validation")
        scenario_registry.register("code_validation", Rest)
        with pytest.raises(PluginError, match=r"'code_validation' is incomplete: .* load_dataset"):
            check(make_text_params())
    finally:
        chat_provider_registry.unregister("half")
        fine_tuning_backend_registry.unregister("quarter")
        scenario_registry.unregister("code_validation")
        scenario_registry.register("code_validation", original)
