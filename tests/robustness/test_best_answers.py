"""The search over all answers, against values worked out by hand."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from nip.robustness.best_answers import BestAnswers, SearchTooLargeError
from nip.robustness.episodes import rows_with_label
from nip.robustness.threats import Threat, threats_of
from nip.scenario_base.agents import ILLEGAL_LOGIT
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_instance import TensorDictScenarioInstance
from tests.experiments import make_instance, make_params

Decide = Callable[[Mapping[str, Tensor]], Tensor]


class ScriptedAgents:
    """Agents whose verifier decides by a function of the state; all else is 0."""

    def __init__(self, instance: TensorDictScenarioInstance, decide: Decide) -> None:
        self.environment, self.decide = instance.test_environment, decide
        self.illegal: list[int] = []

    def eval(self) -> None:
        pass

    def modules(self) -> list[Any]:
        return []

    def act(self, state: Mapping[str, Tensor], active: Tensor, *_: Any, **__: Any) -> Any:
        protocol, batch = self.environment.protocol, len(state["round"])
        symbols = (batch, protocol.num_agents, protocol.num_channels, 1)
        decisions = torch.zeros(batch, protocol.num_agents, 3)
        decisions[:, protocol.agent_names.index("verifier")] = self.decide(state)
        logits = torch.zeros(*symbols, 4)
        logits[..., self.illegal] = ILLEGAL_LOGIT
        return {
            "decision": torch.full((batch, protocol.num_agents), 2),
            self.environment.message_key: torch.zeros(symbols, dtype=torch.long),
            "main_message_logits": logits,
            "decision_logits": decisions,
        }


def search_in(
    dataset: str, protocol: str, decide: Decide, zero_knowledge: bool = False, **options: Any
) -> tuple[BestAnswers, ScriptedAgents, Tensor]:
    params = make_params(
        dataset=dataset,
        protocol=protocol,
        protocol_common={"zero_knowledge": zero_knowledge},
        rl={"normalize_observations": False},
    )
    instance = make_instance(params)
    assert isinstance(instance, TensorDictScenarioInstance)
    agents = ScriptedAgents(instance, decide)
    (threat,) = threats_of(instance.protocol_handler)
    options = {"greedy": True, "seed": 0, **options}
    search = BestAnswers(instance.test_environment, cast(CombinedAgents, agents), threat, **options)
    return search, agents, rows_with_label(instance.test_environment, threat.label)


def accepts_if(condition: Tensor) -> Tensor:
    """Return logits of a decision without doubt."""
    return torch.stack([~condition, condition, torch.zeros_like(condition)], dim=-1) * 50.0


def hits(state: Mapping[str, Tensor]) -> Tensor:
    """Whether any message so far has named a marked position."""
    named = state["message_history"].sum(dim=(1, 2, 3))
    return (named * state["secret"]).sum(-1) > 0


def says(state: Mapping[str, Tensor], symbol: int) -> Tensor:
    return state["message"][:, 0, 0, symbol] > 0


def test_a_mark_that_is_not_there_cannot_be_named() -> None:
    search, _, rows = search_in("witness", "adp", lambda state: accepts_if(hits(state)))
    assert search.right_probability(rows, 0).tolist() == [1.0] * len(rows)


@pytest.mark.parametrize("word", range(4))
def test_a_verifier_that_believes_a_word_is_told_this_word(word: int) -> None:
    search, agents, rows = search_in(
        "cheap_talk", "adp", lambda state: accepts_if(says(state, word))
    )
    assert search.right_probability(rows, 0).tolist() == [0.0] * len(rows)
    agents.illegal = [word]
    assert search.right_probability(rows, 0).tolist() == [1.0] * len(rows)


def test_the_worst_answer_is_found_among_probabilities() -> None:
    # Word 0..3 is rejected with probability 0.9, 0.4, 0.5, 0.7.
    chances = torch.tensor([0.9, 0.4, 0.5, 0.7])

    def decide(state: Mapping[str, Tensor]) -> Tensor:
        reject = state["message"][:, 0, 0] @ chances
        accept = 0.95 - reject
        return torch.stack([reject, accept, torch.full_like(reject, 0.05)], dim=-1).log()

    search, _, rows = search_in("cheap_talk", "adp", decide, greedy=False)
    # In the last round, to continue is no decision, and so not right either.
    assert search.right_probability(rows, 0).tolist() == pytest.approx([0.4] * len(rows))


def test_answers_of_several_rounds_are_combined() -> None:
    # Prover and verifier alternate, the verifier begins: two answers in four rounds. The verifier
    # accepts in the last round only if the words 1 and then 2 were said.
    def decide(state: Mapping[str, Tensor]) -> Tensor:
        history = state["message_history"][:, :, 0, 0]
        secret_word = (history[:, 1, 1] * history[:, 3, 2]) > 0
        decided = accepts_if(secret_word)
        waits = torch.tensor([0.0, 0.0, 50.0]).expand_as(decided)
        return torch.where((state["round"] < 4)[:, None], waits, decided)

    params = {"max_message_rounds": 5, "min_message_rounds": 1}
    search, agents, rows = _nip_search(decide, params)
    assert search.right_probability(rows, 0).tolist() == [0.0] * len(rows)
    agents.illegal = [2]
    assert search.right_probability(rows, 0).tolist() == [1.0] * len(rows)


def _nip_search(
    decide: Decide, protocol: Mapping[str, int]
) -> tuple[BestAnswers, ScriptedAgents, Tensor]:
    params = make_params(
        dataset="cheap_talk",
        protocol="nip",
        nip_protocol=dict(protocol),
        rl={"normalize_observations": False},
    )
    instance = make_instance(params)
    assert isinstance(instance, TensorDictScenarioInstance)
    agents = ScriptedAgents(instance, decide)
    environment = instance.test_environment
    search = BestAnswers(
        environment, cast(CombinedAgents, agents), Threat(0, ("prover",), (0,)), greedy=True, seed=0
    )
    return search, agents, rows_with_label(environment, 0)


def test_with_zero_knowledge_only_answers_to_the_verifier_are_tried() -> None:
    # Four symbols about each of the four datapoints; those to the adversarial verifier as well
    # would make four times as many.
    search, _, rows = search_in(
        "cheap_talk",
        "adp",
        lambda state: accepts_if(says(state, 2)),
        zero_knowledge=True,
        max_states=16,
    )
    sizes = []
    advance = search.environment.advance
    search.environment.advance = lambda state, actions: (  # type: ignore[method-assign]
        sizes.append(len(state["y"])) or advance(state, actions)
    )
    assert search.right_probability(rows, 0).tolist() == [0.0] * 4
    assert sizes[0] == 16


def test_a_search_over_too_many_states_is_refused() -> None:
    search, _, rows = search_in(
        "cheap_talk", "adp", lambda state: accepts_if(says(state, 0)), max_states=3
    )
    with pytest.raises(SearchTooLargeError, match="More than 3 states"):
        search.right_probability(rows, 0)
    # With a limit for one datapoint, they are searched one after the other.
    search.max_states = 4
    assert search.right_probability(rows, 0).tolist() == [0.0] * len(rows)
