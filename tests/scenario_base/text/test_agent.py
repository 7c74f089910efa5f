"""An agent starts with the model of its parameters and can be given another one."""

from nip.scenario_base.text.agent import TextAgent, base_model_of
from tests.scenario_base.text.dialogues import agents_of, rules_of, text_params


def test_an_agent_begins_with_the_model_of_its_parameters() -> None:
    params = text_params(
        "nip",
        agents={
            "prover": {"model_provider": "OpenAI", "base_url": "http://localhost:1/v1"},
            "verifier": {"use_dummy_api": True, "model_name": "m"},
        },
    ).agents
    prover, verifier = (base_model_of(params[name]) for name in ("prover", "verifier"))
    assert (prover.provider, prover.base_url) == ("openai", "http://localhost:1/v1")
    assert (verifier.provider, verifier.model_name, verifier.base_url) == ("rehearsal", "m", None)


def test_an_agent_can_be_given_another_model() -> None:
    agents = agents_of(rules_of("nip"))
    changed = agents["prover"].with_model(agents["verifier"].model)
    assert isinstance(changed, TextAgent)
    assert (changed.model, changed.name) == (agents["verifier"].model, "prover")
