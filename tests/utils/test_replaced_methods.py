"""A class of a user that still defines what nothing calls is told what to write instead."""

import pytest

from nip.errors import PluginError
from nip.utils.replaced_methods import refuse_replaced

REPLACED = {"old_loss": "Define loss_terms instead.", "old_rate": "Set rl.lr."}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"old_loss": lambda self: 0}, r"^Mine\.old_loss is no longer used\. Define loss_terms"),
        ({"old_rate": 0.1}, r"^Mine\.old_rate is no longer used\. Set rl\.lr\.$"),
        ({"old_rate": None}, r"^Mine\.old_rate is no longer used"),
    ],
    ids=["method", "attribute", "attribute that is None"],
)
def test_what_was_replaced_is_named_with_the_advice(members: dict, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        refuse_replaced(type("Mine", (), members), REPLACED)


def test_only_the_class_that_defines_it_is_refused() -> None:
    class Old:
        old_loss = None

    class Derived(Old):
        older_loss = None

    refuse_replaced(Derived, REPLACED)
    refuse_replaced(Old, {})
