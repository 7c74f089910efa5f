"""Reward tables are classified by what they pay for."""

import pytest

from nip.errors import ProtocolError
from nip.protocols import AgentRewards, ProtocolHandler, ProtocolRules
from nip.protocols.incentives import Incentive, incentive_of, pays_against, side_of
from nip.trainers.core.speaker_labels import speaker_labels
from tests.protocols.play import hyper_params_of


@pytest.mark.parametrize(
    ("table", "incentive", "side", "against"),
    [
        (((0, 1), (0, 1)), Incentive.ACCEPTANCE, 1, (True, False)),
        (((1, -1), (1, -1)), Incentive.REJECTION, 0, (False, True)),
        (((1, 0), (0, 1)), Incentive.TRUTH, None, (True, True)),
        (((-4, 2), (2, -4)), Incentive.ERROR, None, (True, True)),
        (((3, 3), (0, 0)), Incentive.NOTHING, None, (False, False)),
        (((0, 0), (0, 1)), Incentive.MIXED, None, (True, False)),
        (((0, 1), (0, 2)), Incentive.MIXED, 1, (True, False)),
        (((1, 0), (0, 2)), Incentive.MIXED, None, (True, True)),
    ],
)
def test_a_table_pays_for(table, incentive, side, against) -> None:
    assert incentive_of(table) is incentive
    assert side_of(table) == side
    assert (pays_against(table, 0), pays_against(table, 1)) == against


class TwoSpeakers(ProtocolHandler):
    """The seed draws one of two provers, of which one may be paid for the truth."""

    goals: dict[str, int] = {}
    table = AgentRewards(decided=((1, 0), (0, 1)))

    def make_rules(self) -> ProtocolRules:
        everybody = ("prover0", "prover1", "verifier")
        first, second, verifier = ({agent: ("main",)} for agent in everybody)
        return ProtocolRules(
            agents=everybody,
            channels={"main": everybody},
            timetables=((first, verifier), (second, verifier)),
            max_message_rounds=2,
            prover_goals=self.goals,
            rewards={"prover1": self.table},
        )


def test_a_prover_that_is_paid_for_the_truth_has_no_goal() -> None:
    handler = TwoSpeakers(hyper_params_of("nip"))
    assert handler.prover_goals == {"prover0": 1}
    assert speaker_labels(handler) is None, "not every speaker argues for a label"


def test_a_goal_follows_from_the_table_of_a_prover() -> None:
    class Accuser(TwoSpeakers):
        table = AgentRewards(decided=((1, -1), (1, -1)))

    handler = Accuser(hyper_params_of("nip"))
    assert handler.prover_goals == {"prover0": 1, "prover1": 0}
    assert speaker_labels(handler) == [1, 0]


def test_a_stated_goal_against_the_table_is_refused() -> None:
    class Contradicting(TwoSpeakers):
        goals = {"prover1": 1}

    with pytest.raises(ProtocolError, match=r"prover_goals\['prover1'\] is 1, but .* pays more"):
        Contradicting(hyper_params_of("nip"))
