"""A protocol of a prover and a verifier in which commitment pays, with exact expected rewards."""

from typing import ClassVar

import torch
from torch import Tensor

from nip.scenario_base.game import Game, Strategies

NUM_PLACES = 4
"""Places at which a fault may be."""

FAULTY_SHARE = 1 / 3
"""Share of faulty products."""

ENTROPY_EPS = 0.05
"""Weight of the entropy of the policies, which keeps best responses smooth."""


class Commitment(Game):
    r"""A maker knows where a product is faulty, and an inspector has to find out whether it is.

    A third of the products have a fault (label 0), at one of ``NUM_PLACES`` places. The prover
    knows the place and names one; the verifier sees whether there is a fault at the place that was
    named, and rejects ("faulty"), accepts ("sound"), or decides nothing. The rewards are

    ========  ======  ====================
    decision  prover  verifier
    ========  ======  ====================
    reject    0       1 if right, else -1
    accept    0.1     1 if right, else -1
    none      -5      -1
    ========  ======  ====================

    If nothing is shown, a verifier that is not committed accepts: two thirds of the products are
    sound. So the prover shows nothing, and a third of the decisions are wrong, in every equilibrium
    of simultaneous play. A verifier that leads decides nothing in a share :math:`\epsilon > 1/51`
    of the cases in which nothing is shown. Then hiding a fault pays :math:`0.1 (1 - \epsilon) - 5
    \epsilon < 0`, the prover shows it, and a share of :math:`1 - 2 \epsilon / 3` is right.

    These are the expected rewards of the dataset ``faults`` of the scenario ``toy`` with the
    protocol ``nip`` of two rounds.
    """

    num_parameters: ClassVar = (6, NUM_PLACES)

    _PROVER: ClassVar = (0.0, 0.1, -5.0)
    """Reward of the prover for each decision."""

    _VERIFIER: ClassVar = ((1.0, -1.0, -1.0), (-1.0, 1.0, -1.0))
    """Rewards of the verifier for each decision, with and without a fault."""

    def losses(self, strategies: Strategies) -> tuple[Tensor, ...]:
        """Return minus the expected reward of verifier and prover, less the entropy bonus.

        The reward of the prover is that for a faulty product: without a fault, it does not depend
        on what it does.
        """
        decisions, place = self._policies(strategies)
        hidden, faulty = self._decisions(decisions, place)
        if_faulty, if_sound = (torch.tensor(row).to(place) for row in self._VERIFIER)
        verifier = FAULTY_SHARE * (faulty @ if_faulty) + (1 - FAULTY_SHARE) * (hidden @ if_sound)
        # The bonus is for the verifier's policy, and no reason to make one situation more frequent.
        shown = FAULTY_SHARE * place[0].detach()
        bonus = _entropy(decisions) @ torch.stack((1 - shown, shown))
        return (
            -verifier - ENTROPY_EPS * bonus,
            -faulty @ torch.tensor(self._PROVER).to(place) - ENTROPY_EPS * _entropy(place),
        )

    def metrics(self, strategies: Strategies) -> tuple[dict[str, Tensor], ...]:
        """Return ``exact_loss``, and the verifier's ``expected_accuracy`` or the ``disclosure``."""
        decisions, place = self._policies(strategies)
        hidden, faulty = self._decisions(decisions, place)
        verifier, prover = self.losses(strategies)
        accuracy = FAULTY_SHARE * faulty[0] + (1 - FAULTY_SHARE) * hidden[1]
        return (
            {"exact_loss": verifier, "expected_accuracy": accuracy},
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
