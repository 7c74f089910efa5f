"""From the losses of minibatches to steps of the optimizer."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from typing import Any, Literal

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn
from torch.optim import Optimizer

from nip.errors import DivergenceError
from nip.rl_objectives import Objective
from nip.utils.ranks import current_ranks

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Precisions in which networks may compute, besides that of their weights."""


class NonFiniteLoss(Exception):  # noqa: N818 - like StopIteration it says what happened
    """A loss is infinite or no number, and training is to stop.

    Parameters
    ----------
    name : str
        Name of the loss, or ``grad_norm``.
    value : float
        What it became.
    iteration : int
        Iterations done before.
    """

    def __init__(self, name: str, value: float, iteration: int) -> None:
        self.name, self.value, self.iteration = name, value, iteration
        super().__init__(f"{name} became {value} in iteration {iteration + 1}")


class UpdateStep:
    """Turns losses into gradients, and gradients into steps.

    Each call is given a minibatch. The mean gradient of some of them is averaged over all
    processes, clipped and handed to the optimizer.

    Parameters
    ----------
    max_grad_norm : float, optional
        The joint gradient of all agents is scaled down to this norm.
    max_grad_value : float, optional
        Each entry of the gradient is then moved into [-max_grad_value, max_grad_value].
    num_accumulation_steps : int
        Minibatches whose mean gradient makes one step.
    precision : str
        What networks compute in. Losses are scaled for ``float16``, and a step in which gradients
        overflow all the same is left out.
    on_non_finite : str
        What becomes of an infinite loss or gradient, and of one that is no number: ``raise`` fails,
        ``stop`` raises NonFiniteLoss. Either happens before the optimizer moves anything.
    """

    def __init__(
        self,
        max_grad_norm: float | None = None,
        max_grad_value: float | None = None,
        num_accumulation_steps: int = 1,
        precision: Literal["float32", "bfloat16", "float16"] = "float32",
        on_non_finite: Literal["raise", "stop"] = "raise",
    ) -> None:
        self._max_grad_norm = max_grad_norm
        self._max_grad_value = max_grad_value
        self.num_accumulation_steps = num_accumulation_steps
        self._dtype = DTYPES.get(precision)
        self._on_non_finite = on_non_finite
        self._num_accumulated = 0
        self._scaler: torch.amp.GradScaler | None = None
        self._scale_before = 1.0

    def begin(self, optimizer: Optimizer, device: torch.device) -> None:
        """Work with an optimizer from now on, whose parameters are on a device."""
        self._optimizer = optimizer
        self._device = device
        self._ranks = current_ranks()
        self._num_accumulated = 0
        if self._dtype is torch.float16:
            self._scaler = torch.amp.GradScaler(device.type)

    @property
    def is_empty(self) -> bool:
        """Whether no minibatch waits for others to make a step with them."""
        return self._num_accumulated == 0

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return a context in which networks compute in the precision."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(device.type, dtype=self._dtype)

    def step(
        self, compute: Callable[[], TensorDictBase], objective: Objective, iteration: int = 0
    ) -> tuple[TensorDictBase, bool]:
        """Learn from a minibatch.

        Parameters
        ----------
        compute : callable
            Returns losses, whose names begin with ``loss_``, and other figures.
        objective : Objective
            Computes the gradients of the losses.
        iteration : int
            Iterations done before, for messages.

        Returns
        -------
        figures : TensorDictBase
            What ``compute`` returned, detached and averaged over all processes, and where
            gradients came together as ``grad_norm`` their norm before it was clipped.
        did_step : bool
            Whether the optimizer moved the parameters.

        Raises
        ------
        DivergenceError, NonFiniteLoss
            If a loss or a gradient is infinite or not a number.
        """
        if self.is_empty:
            self._optimizer.zero_grad(set_to_none=True)
        with self.autocast(self._device):
            losses = compute()
        objective.backward(self._scaled(losses))
        self._num_accumulated += 1
        figures = self._averaged(losses.detach())
        if self._num_accumulated < self.num_accumulation_steps:
            self._check(figures, iteration)
            return figures, False
        return figures, self._move(figures, iteration)

    def finish(self, iteration: int = 0) -> TensorDictBase | None:
        """Step on what a last group of minibatches left, which is smaller than the others.

        Returns
        -------
        figures : TensorDictBase or None
            The ``grad_norm``; None where the parameters did not move.
        """
        if self.is_empty:
            return None
        figures = TensorDict()
        return figures if self._move(figures, iteration) else None

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the scale of the losses, for JSON."""
        return {} if self._scaler is None else self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was taken; ``begin`` comes before."""
        if self._scaler is not None:
            self._scaler.load_state_dict(state)

    def _scaled(self, losses: TensorDictBase) -> TensorDictBase:
        if self._scaler is None:
            return losses
        scaled = losses.copy()
        for name in _loss_names(losses):
            scaled[name] = self._scaler.scale(losses[name])
        return scaled

    def _averaged(self, figures: TensorDictBase) -> TensorDictBase:
        """Average figures over all processes, so that each sees the same, and stops with them."""
        if self._ranks.size == 1:
            return figures
        names = sorted(figures.keys())
        means = self._ranks.mean_(torch.stack([figures[name].float() for name in names]))
        return TensorDict(dict(zip(names, means, strict=True)))

    def _move(self, figures: TensorDictBase, iteration: int) -> bool:
        """Let the optimizer step, and add the norm of the gradient to the figures."""
        norm = self._gradient_norm()
        if norm is None:
            self._check(figures, iteration)
            return False
        if self._scaler is not None and not isfinite(norm):
            self._check(figures, iteration)
            if not self._overflowed():
                self._fail("grad_norm", float(norm), iteration)
            return False
        figures.set("grad_norm", norm)
        self._check(figures, iteration)
        self._optimizer.step()
        return True

    def _gradient_norm(self) -> Tensor | None:
        """Clip the mean gradient and return the norm it had; None if nobody learns."""
        parameters = [
            parameter for group in self._optimizer.param_groups for parameter in group["params"]
        ]
        count, self._num_accumulated = self._num_accumulated, 0
        self._ranks.average_gradients(parameters)
        learning = [parameter for parameter in parameters if parameter.grad is not None]
        if not learning:
            return None
        if count > 1:
            for parameter in learning:
                parameter.grad = parameter.grad / count
        if self._scaler is not None:
            self._scale_before = self._scaler.get_scale()
            self._scaler.unscale_(self._optimizer)
            self._scaler.update()
        if self._max_grad_norm is None:
            norm = nn.utils.get_total_norm([parameter.grad for parameter in learning])
        else:
            norm = nn.utils.clip_grad_norm_(learning, self._max_grad_norm)
        if self._max_grad_value is not None:
            nn.utils.clip_grad_value_(learning, self._max_grad_value)
        return norm

    def _overflowed(self) -> bool:
        """Tell whether the scale was the reason of a gradient that is not finite.

        It was lowered then, and it is to blame for nothing once it is below 1.
        """
        assert self._scaler is not None
        return 1.0 <= self._scaler.get_scale() < self._scale_before

    def _check(self, figures: TensorDictBase, iteration: int) -> None:
        """Require finite losses and gradients; one transfer to the host for all of them."""
        checked = {
            name: value
            for name, value in figures.items()
            if name.startswith("loss_") or name == "grad_norm"
        }
        values = torch.stack(list(checked.values())).tolist() if checked else []
        for name, value in zip(checked, values, strict=True):
            if not isfinite(value):
                self._fail(name, value, iteration)

    def _fail(self, name: str, value: float, iteration: int) -> None:
        self._num_accumulated = 0
        problem = NonFiniteLoss(name, value, iteration)
        if self._on_non_finite == "stop":
            raise problem
        raise DivergenceError(
            f"{problem}: training has diverged. Lower the learning rate or the limit on the "
            "gradient (rl.lr and rl.max_grad_norm, or those of solo_agent), in a new run; the "
            "metrics and checkpoints up to here are kept."
        )


def _loss_names(figures: TensorDictBase) -> list[str]:
    return [name for name in figures.keys() if name.startswith("loss_")]
