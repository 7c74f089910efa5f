"""Labels for which the speaking provers argue."""

import numpy as np

from nip.protocols.handler import ProtocolHandler


def speaker_labels(protocol: ProtocolHandler) -> list[int] | None:
    """Return the label for which the speaking prover argues, for each variant of the protocol.

    None unless the episode seed selects a single speaker, which argues for a label, as in
    Merlin-Arthur classification.
    """
    speaks = np.asarray(protocol.active.any(axis=(1, 3)))
    provers = [protocol.agent_names.index(name) for name in protocol.prover_names]
    speakers = [[index for index in provers if row[index]] for row in speaks]
    if protocol.num_variants == 1 or any(len(some) != 1 for some in speakers):
        return None
    goals = [protocol.prover_goals.get(protocol.agent_names[index]) for (index,) in speakers]
    labels = [goal for goal in goals if goal is not None]
    return labels if len(labels) == len(goals) else None
