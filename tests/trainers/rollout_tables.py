"""Small batches of dialogues, stated as tables."""

from typing import Any

import numpy as np

from nip.utils.nested_array_dict import NestedArrayDict

NUM_ROUNDS = 4


def make_rollouts(num_agents: int = 2, **columns: Any) -> NestedArrayDict:
    """Return rollouts of four rounds in which the agents take turns, as the trainers get them.

    Parameters
    ----------
    num_agents : int
        Length of the agent axis.
    **columns : Any
        What differs from the defaults, for each rollout. What has an agent axis may be given for
        the last round only, (rollout, agent).
    """
    size = len(next(iter(columns.values())))
    shape = (size, NUM_ROUNDS, num_agents)
    turn = np.arange(NUM_ROUNDS)[:, None] % num_agents == np.arange(num_agents)
    verdict = np.asarray(columns.get("verdict", [1] * size))
    values = np.array([-1.0, 1.0, np.nan])[verdict]
    batch = NestedArrayDict(
        {
            "iteration": np.zeros(size, dtype=np.int64),
            "position": np.arange(size),
            "datapoint_id": [f"question {row}" for row in range(size)],
            "cluster": columns.get("datapoint_id", [f"question {row}" for row in range(size)]),
            "seed": np.arange(size),
            "y": np.ones(size, dtype=np.int64),
            "prover_stance": np.ones(size, dtype=np.int64),
            "verdict": verdict,
            "verdict_value": values,
            "failed": np.zeros(size, dtype=bool),
            "num_rounds": np.full(size, NUM_ROUNDS),
            "terminated": verdict == 2,
            "agents": {
                "active": np.broadcast_to(turn, shape).copy(),
                "invalid": np.zeros(shape, dtype=bool),
                "cut": np.zeros(shape, dtype=bool),
                "decision": np.full(shape, 2),
                "reward": np.zeros(shape),
                "num_retries": np.zeros(shape, dtype=np.int64),
                "prompt_tokens": np.zeros(shape, dtype=np.int64),
                "completion_tokens": np.zeros(shape, dtype=np.int64),
            },
        },
        size,
    )
    for name, column in columns.items():
        if name not in batch["agents"]:
            batch[name] = column
            continue
        array = np.asarray(column)
        if array.ndim == 2:
            whole = np.zeros(shape, dtype=array.dtype)
            whole[:, -1] = array
            array = whole
        batch["agents", name] = array
    return batch
