"""Conversion of rollouts to arrays, for statistics and comparisons."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nip.protocols.handler import ProtocolHandler
from nip.protocols.rules import Decision
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.rollout import Rollout
from nip.utils.nested_array_dict import NestedArrayDict


def rollouts_to_arrays(
    rollouts: Sequence[Rollout], datapoints: Sequence[TextDatapoint], protocol: ProtocolHandler
) -> NestedArrayDict:
    """Convert rollouts to arrays, in the given order.

    Rewards of failed rollouts are 0 and meaningless; filter these rollouts by ``failed``.

    Parameters
    ----------
    rollouts : sequence of Rollout
        The rollouts.
    datapoints : sequence of TextDatapoint
        The split of the rollouts; ``rollout.datapoint`` is an index into it.
    protocol : ProtocolHandler
        Gives the order of agents and channels, and the number of rounds.

    Returns
    -------
    arrays : NestedArrayDict
        One row for each rollout. Under "agents" the axes are (rollout, round, agent), for
        "channel_text" (rollout, round, agent, channel).
    """
    num = len(rollouts)
    asked = [datapoints[rollout.datapoint] for rollout in rollouts]
    return NestedArrayDict(
        {
            "position": _integers([each.position for each in rollouts]),
            "datapoint": _integers([each.datapoint for each in rollouts]),
            "datapoint_id": _strings([each.datapoint_id for each in rollouts], (num,)),
            "cluster": _strings([each.cluster_id for each in asked], (num,)),
            "copy": _integers([each.copy for each in rollouts]),
            "seed": _integers([each.seed for each in rollouts]),
            "y": _integers([each.y for each in rollouts]),
            "prover_stance": _integers([each.prover_stance for each in rollouts]),
            "num_rounds": _integers([each.num_rounds for each in rollouts]),
            "verdict": _integers([each.verdict for each in rollouts]),
            "verdict_value": np.array(
                [
                    math.nan if each.verdict_value is None else each.verdict_value
                    for each in rollouts
                ],
                dtype=np.float64,
            ),
            "terminated": np.array([each.is_terminated for each in rollouts], dtype=np.bool_),
            "failed": np.array([each.is_failed for each in rollouts], dtype=np.bool_),
            "error": _strings([each.error for each in rollouts], (num,)),
            "question": _strings([each.question for each in asked], (num,)),
            "solution": _strings([each.solution for each in asked], (num,)),
            "agents": _agent_arrays(rollouts, protocol),
        },
        num,
    )


def _integers(values: list[int]) -> NDArray[Any]:
    return np.array(values, dtype=np.int64)


def _strings(values: list[str], shape: tuple[int, ...]) -> NDArray[Any]:
    return np.array(values, dtype=np.dtypes.StringDType(na_object=None)).reshape(shape)


def _agent_arrays(rollouts: Sequence[Rollout], protocol: ProtocolHandler) -> dict[str, Any]:
    shape = (len(rollouts), protocol.max_message_rounds, protocol.num_agents)
    strings = np.dtypes.StringDType(na_object=None)
    agent_index = {name: index for index, name in enumerate(protocol.agent_names)}
    channel_index = {name: index for index, name in enumerate(protocol.channel_names)}
    arrays: dict[str, NDArray[Any]] = {
        "active": np.zeros(shape, dtype=np.bool_),
        "text": np.full(shape, "", dtype=strings),
        "channel_text": np.full((*shape, protocol.num_channels), "", dtype=strings),
        "decision": np.full(shape, int(Decision.CONTINUE), dtype=np.int64),
        "reward": np.zeros(shape, dtype=np.float64),
        "num_retries": np.zeros(shape, dtype=np.int64),
        "invalid": np.zeros(shape, dtype=np.bool_),
        "cut": np.zeros(shape, dtype=np.bool_),
        "prompt_tokens": np.zeros(shape, dtype=np.int64),
        "completion_tokens": np.zeros(shape, dtype=np.int64),
    }
    for row, rollout in enumerate(rollouts):
        if rollout.rewards and not rollout.is_failed:
            arrays["reward"][row, : rollout.num_rounds] = rollout.rewards
        for said in rollout.messages:
            place = (row, said.round, agent_index[said.agent])
            arrays["active"][place] = True
            arrays["text"][place] = said.text
            arrays["decision"][place] = said.decision
            arrays["num_retries"][place] = said.num_retries
            arrays["invalid"][place] = said.is_invalid
            arrays["cut"][place] = said.is_cut
            arrays["prompt_tokens"][place] = said.prompt_tokens
            arrays["completion_tokens"][place] = said.completion_tokens
            for channel, text in said.channel_texts.items():
                arrays["channel_text"][(*place, channel_index[channel])] = text
    return arrays
