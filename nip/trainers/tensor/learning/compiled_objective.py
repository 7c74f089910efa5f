"""Compilation of an objective: the losses of a minibatch are one graph, their gradients another."""

from collections.abc import Callable

from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.rl_objectives import Objective
from nip.scenario_base.compilation import Compilation


def compiled_objective(
    objective: Objective, compilation: Compilation
) -> Callable[[TensorDictBase], TensorDict]:
    """Return a function that computes the losses of an objective from a minibatch.

    The objective reads and writes a TensorDict of plain tensors, which is taken apart and put
    together outside of the graph.
    """

    def compute(size: int, root: dict[str, Tensor], agents: dict[str, Tensor]) -> dict[str, Tensor]:
        nested = TensorDict(agents, batch_size=[size])
        return dict(objective(TensorDict({**root, "agents": nested}, batch_size=[size])).items())

    name = f"The loss of {type(objective).__name__}"
    compiled = compilation.compiled(compute, name)

    def losses(minibatch: TensorDictBase) -> TensorDict:
        agents = dict(minibatch["agents"].items())
        root = {key: minibatch[key] for key in minibatch.keys() if key != "agents"}
        return TensorDict(compiled(len(minibatch), root, agents))

    return losses
