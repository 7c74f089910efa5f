"""A protocol of a prover and a verifier in which commitment pays, with exact expected rewards."""

from typing import ClassVar

import torch
from torch import Tensor

from nip.scenario_base.game import Game, Strategies

NUM_PLACES = 4
"""Places at which a fault may be."""

ENTROPY_EPS = 0.1
"""Weight of the entropy of the policies, which keeps best responses smooth."""


class Commitment(Game):
    r"""A maker knows where a product is faulty, and an inspector has to find out whether it is.

    Half of the products have a fault, at one of ``NUM_PLACES`` places. The prover knows the place
    and names one; the verifier sees whether there is a fault at the place that was named, and
    rejects ("no fault"), accepts ("faulty"), or decides nothing. The rewards are

    ========  =========================  ==================
    decision  prover, if there is fault  verifier
    ========  =========================  ==================
    reject    1/3                        1 if right, else -1
    accept    0                          1 if right, else -2
    none      -3                         -1
    ========  =========================  ==================

    If nothing is shown, a verifier that is not committed rejects: without a decision it would lose.
    So the prover shows nothing, and half of the decisions are right, in every equilibrium of
    simultaneous play. A verifier that leads decides nothing in a share :math:`\epsilon > 1/10` of
    the cases in which nothing is shown. Then hiding a fault pays :math:`(1-\epsilon)/3 -
    3\epsilon < 0`, the prover shows it, and a share of :math:`1 - \epsilon/2`, up to 0.95, is
    right.
    """

    num_parameters: ClassVar = (6, NUM_PLACES)

    _PROVER: ClassVar = (1 / 3, 0.0, -3.0)
    _VERIFIER: ClassVar = ((1.0, -2.0, -1.0), (-1.0, 1.0, -1.0))
    """Rewards of the verifier for each decision, without and with a fault."""

    def losses(self, strategies: Strategies) -> tuple[Tensor, ...]:
        """Return minus the expected reward of verifier and prover, less the entropy bonus."""
        decisions, place = self._policies(strategies)
        without, with_fault = self._decisions(decisions, place)
        sound, faulty = (torch.tensor(row).to(place) for row in self._VERIFIER)
        verifier = (without @ sound + with_fault @ faulty) / 2
        prover = with_fault @ torch.tensor(self._PROVER).to(place) / 2
        return (
            -verifier - ENTROPY_EPS * _entropy(decisions).mean(),
            -prover - ENTROPY_EPS * _entropy(place),
        )

    def metrics(self, strategies: Strategies) -> tuple[dict[str, Tensor], ...]:
        """Return ``exact_loss``, the verifier's ``accuracy``, and how often the fault is shown."""
        decisions, place = self._policies(strategies)
        without, with_fault = self._decisions(decisions, place)
        verifier, prover = self.losses(strategies)
        return (
            {"exact_loss": verifier, "expected_accuracy": (without[0] + with_fault[1]) / 2},
            {"exact_loss": prover, "disclosure": place[0]},
        )

    @staticmethod
    def _policies(strategies: Strategies) -> tuple[Tensor, Tensor]:
        """Return the decisions if nothing and if a fault is shown, and the place that is named."""
        return strategies[0].view(2, 3).softmax(-1), strategies[1].softmax(-1)

    @staticmethod
    def _decisions(decisions: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Return the decisions about products without and with a fault, which is at place 0."""
        hidden, shown = decisions
        return hidden, place[0] * shown + (1 - place[0]) * hidden


def _entropy(probabilities: Tensor) -> Tensor:
    return -(probabilities * probabilities.clamp_min(1e-30).log()).sum(-1)
