"""Parameters of what may be added to a loss."""

from typing import Any

import pytest

from nip.errors import ParameterError
from nip.parameters.loss_terms import LossTermParameters, loss_term_specs
from tests.parameters.examples import make_tree


def test_the_built_in_terms_are_known_without_torch_and_weigh_1() -> None:
    assert {"l2", "proximal"} <= set(loss_term_specs.names())
    assert make_tree(loss_terms=["l2"]).loss_terms == (LossTermParameters("l2", weight=1.0),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"name": "l2", "weight": -1},
            "loss_terms[0].weight must be a finite number, at least 0, got -1. The default is 1.0.",
        ),
        (
            {"name": "l2", "weigth": 1},
            "There is no parameter 'loss_terms[0].weigth'. Did you mean 'loss_terms[0].weight'?",
        ),
        (
            "proximl",
            "loss_terms[0]: There is no loss term 'proximl'. Did you mean 'proximal'? Known: ",
        ),
    ],
)
def test_a_mistake_names_value_rule_and_way_out(given: Any, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(loss_terms=[given])
    assert str(caught.value).startswith(message)
