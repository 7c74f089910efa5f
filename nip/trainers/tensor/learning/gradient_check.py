"""Check that gradients reach the parameters, so that training is not silently without effect."""

from collections.abc import Collection

from tensordict import TensorDictBase
from torch import nn

from nip.errors import ParameterError
from nip.scenario_base.combined_agents import CombinedAgents


class GradientCheck:
    """Raises an error if the loss gives no gradient, until the first gradient was seen.

    Single minibatches may give none: those without rows on this rank, or without a turn of an agent
    that learns now. So an error is raised as soon as all agents that learn now have had a turn, or
    the iteration has ended.

    Parameters
    ----------
    agents : CombinedAgents
        The agents.
    trained : collection of nn.Parameter
        All parameters of the optimizer.
    source : str
        Name of the class of the objective, for messages.
    """

    def __init__(
        self, agents: CombinedAgents, trained: Collection[nn.Parameter], source: str
    ) -> None:
        self._agents = agents
        self._trained = set(trained)
        self._source = source
        self._has_learnt = not self._trained
        self._had_turn: set[int] = set()
        self._reason = ""

    def record(self, minibatch: TensorDictBase, losses: TensorDictBase) -> None:
        """Look for gradients after a backward pass.

        Parameters
        ----------
        minibatch : TensorDictBase
            What was learnt from, (row,).
        losses : TensorDictBase
            Its losses, which still have their gradient functions.

        Raises
        ------
        ParameterError
            If there are none although there should be.
        """
        if self._has_learnt:
            return
        if any(parameter.grad is not None for parameter in self._trained):
            self._has_learnt = True
            return
        self._reason = _reason(losses)
        nested = minibatch.get("agents", None)
        if nested is None or "active" not in nested.keys() or self._only_others_learn:
            if minibatch.batch_size.numel() > 0:
                self._fail()
            return
        has_turn = nested["active"].any(-1).any(0).tolist()
        learners = self._learners()
        self._had_turn |= {index for index in learners if has_turn[index]}
        if learners and self._had_turn == learners:
            self._fail()

    def finish_iteration(self) -> None:
        """Raise ``ParameterError`` if an agent had a turn in this iteration, but no gradient."""
        if not self._has_learnt and self._had_turn:
            self._fail()
        self._had_turn = set()

    @property
    def _only_others_learn(self) -> bool:
        """Whether all agents are frozen permanently, so that only the objective can learn."""
        return not any(parameter in self._trained for parameter in self._agents.parameters())

    def _learners(self) -> set[int]:
        return {
            index
            for index, _, agent in self._agents
            if any(parameter.requires_grad for parameter in agent.parameters())
        }

    def _fail(self) -> None:
        raise ParameterError(
            f"Nothing can be learnt from the loss of {self._source}: {self._reason}. Compute it "
            "from the present outputs of the agents, such as frames.log_prob() and frames.output, "
            "without detach(), item() or no_grad(). What was collected, such as sample_log_prob, "
            "has no gradient."
        )


def _reason(losses: TensorDictBase) -> str:
    names = [name for name in losses.keys() if name.startswith("loss_")]
    if any(losses[name].requires_grad for name in names):
        return "its gradient reaches no parameter that is trained"
    listed = ", ".join(names) or "there is no entry loss_..., and backward"
    return f"{listed} gives no gradient, because it is detached from all parameters"
