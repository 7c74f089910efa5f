"""A small batch, and a hypothesis strategy for arbitrary batches."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nip.utils.nested_array_dict import NestedArrayDict

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
NAMES = st.sampled_from(["y", "text", "agents", "reward", "a name with spaces", "ü"])
NUMBERS = [np.bool_, np.int64, np.int16, np.float64, np.float32]


@st.composite
def arrays(draw, batch_size):
    shape = batch_size + draw(st.sampled_from([(), (2,), (0,), (1, 3)]))
    if draw(st.booleans()):
        return draw(hnp.arrays(draw(st.sampled_from(NUMBERS)), shape))
    size = int(np.prod(shape))
    strings = draw(st.lists(TEXTS, min_size=size, max_size=size))
    return np.array(strings, dtype=np.dtypes.StringDType(na_object=None)).reshape(shape)


def batches(batch_size):
    entries = st.recursive(
        st.dictionaries(NAMES, arrays(batch_size), min_size=1, max_size=3),
        lambda below: st.dictionaries(NAMES, below | arrays(batch_size), min_size=1, max_size=2),
        max_leaves=3,
    )
    return entries.map(lambda data: NestedArrayDict(data, batch_size))


def example() -> NestedArrayDict:
    return NestedArrayDict(
        {
            "y": [0, 1, 1],
            "agents": {"text": ["a", None, "c"], "reward": np.arange(6.0).reshape(3, 2)},
        },
        3,
    )
