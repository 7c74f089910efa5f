"""The update step: from the losses of minibatches to steps of the optimizer."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from typing import Any, Literal

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn
from torch.optim import Optimizer

from nip.errors import DivergenceError
from nip.native.adam import clip_norm
from nip.rl_objectives import Objective
from nip.trainers.core.own_loops import StopTraining
from nip.utils.ranks import current_ranks

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Precisions of autocast."""


class NonFiniteLoss(StopTraining):
    """Raised to stop training when a loss or gradient is infinite or NaN.

    It has the name of the loss, or ``grad_norm``, and the number of completed iterations.
    """

    def __init__(self, name: str, value: float, iteration: int) -> None:
        self.name, self.value, self.iteration = name, value, iteration
        super().__init__(f"{name} became {value} in iteration {iteration + 1}")


class UpdateStep:
    """Computes gradients and takes steps of the optimizer.

    Each call handles one minibatch. The mean gradient over ``num_accumulation_steps`` minibatches
    is averaged over all processes, clipped, and passed to the optimizer.

    Parameters
    ----------
    max_grad_norm : float, optional
        Limit on the norm of the joint gradient of all agents.
    max_grad_value : float, optional
        Limit on the absolute value of each entry of the gradient, applied after the norm.
    num_accumulation_steps : int
        Number of minibatches whose mean gradient makes one step.
    precision : str
        Precision of autocast. With ``float16`` losses are scaled, and a step whose gradients
        overflow is skipped.
    on_non_finite : str
        Reaction to a loss or gradient that is infinite or NaN: ``raise`` raises a DivergenceError,
        ``stop`` a NonFiniteLoss, both before the parameters change.

    Attributes
    ----------
    defers_checks
        Whether ``check_finite`` raises these errors instead of ``step``, so that steps do not wait
        for an accelerator. The parameters do not change in between: the optimizer is told on the
        device to leave them as they are. Optimizers that are not fused cannot be told.
    has_learnt
        Whether the parameters have been changed by a step; for messages.
    added_losses
        Names of the losses that loss terms have added; for messages.
    """

    defers_checks: bool = False
    has_learnt: bool = False
    added_losses: Collection[str] = ()

    def __init__(
        self,
        max_grad_norm: float | None = None,
        max_grad_value: float | None = None,
        num_accumulation_steps: int = 1,
        precision: Literal["float32", "bfloat16", "float16"] = "float32",
        on_non_finite: Literal["raise", "stop"] = "raise",
    ) -> None:
        self.max_grad_norm = max_grad_norm
        self.max_grad_value = max_grad_value
        self.num_accumulation_steps = num_accumulation_steps
        self._dtype = DTYPES.get(precision)
        self._on_non_finite = on_non_finite
        self._num_accumulated = 0
        self._scaler: torch.amp.GradScaler | None = None
        self._scale_before = 1.0
        self._unchecked: list[tuple[list[str], Tensor, int]] = []

    def begin(self, optimizer: Optimizer, device: torch.device) -> None:
        """Set the optimizer, and the device of its parameters."""
        self._optimizer = optimizer
        self._device = device
        self._ranks = current_ranks()
        self._num_accumulated = 0
        self._unchecked = []
        self.has_learnt = False
        if self._dtype is torch.float16:
            self._scaler = torch.amp.GradScaler(device.type)

    @property
    def is_empty(self) -> bool:
        """Whether no minibatch has been accumulated since the last step."""
        return self._num_accumulated == 0

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return a context in which networks compute in the precision of this step."""
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
            Returns losses, whose names begin with ``loss_``, and other metrics, all scalars.
        objective : Objective
            Computes the gradients of the losses.
        iteration : int
            Number of completed iterations, for messages.

        Returns
        -------
        metrics : TensorDictBase
            The result of ``compute``, detached and averaged over all processes; after the last
            minibatch of a step also ``grad_norm``, the norm of the gradient before clipping.
        did_step : bool
            Whether the optimizer took a step.

        Raises
        ------
        DivergenceError, NonFiniteLoss
            If a loss or a gradient is infinite or NaN.
        """
        if self.is_empty:
            self._optimizer.zero_grad(set_to_none=True)
        with self.autocast(self._device):
            losses = compute()
        objective.backward(self._scaled(losses))
        self._num_accumulated += 1
        metrics = self._averaged(_detached(losses))
        if self._num_accumulated < self.num_accumulation_steps:
            self._check(metrics, iteration)
            return metrics, False
        return metrics, self._move(metrics, iteration)

    def finish(self, iteration: int = 0) -> TensorDictBase | None:
        """Take a step with the minibatches accumulated so far, if there are any.

        Returns
        -------
        metrics : TensorDictBase or None
            The ``grad_norm``; None if the parameters did not change.
        """
        if self.is_empty:
            return None
        metrics = TensorDict()
        return metrics if self._move(metrics, iteration) else None

    def check_finite(self) -> None:
        """Raise the errors that ``step`` has deferred, with one transfer to the host.

        Raises
        ------
        DivergenceError, NonFiniteLoss
            If a loss or a gradient was infinite or NaN since the last call.
        """
        unchecked, self._unchecked = self._unchecked, []
        if not unchecked:
            return
        self._optimizer.found_inf = None  # type: ignore[attr-defined]
        values = iter(torch.cat([each for _, each, _ in unchecked]).tolist())
        for names, _, iteration in unchecked:
            self._require_finite({name: next(values) for name in names}, iteration)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the scaler of losses, as JSON can hold it."""
        return {} if self._scaler is None else self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned; call ``begin`` first."""
        if self._scaler is not None:
            self._scaler.load_state_dict(state)

    def _scaled(self, losses: TensorDictBase) -> TensorDictBase:
        if self._scaler is None:
            return losses
        scaled = losses.copy()
        for name in _loss_names(losses):
            scaled[name] = self._scaler.scale(losses[name])
        return scaled

    def _averaged(self, metrics: TensorDictBase) -> TensorDictBase:
        """Average metrics over all processes, so that all of them stop in the same step."""
        if self._ranks.size == 1:
            return metrics
        names = sorted(metrics.keys())
        means = self._ranks.mean_(torch.stack([metrics[name].float() for name in names]))
        return TensorDict(dict(zip(names, means, strict=True)))

    def _move(self, metrics: TensorDictBase, iteration: int) -> bool:
        """Take a step of the optimizer, and add the norm of the gradient to the metrics."""
        norm = self._gradient_norm()
        if norm is None:
            self._check(metrics, iteration)
            return False
        if self._scaler is not None and not isfinite(norm):
            self._check(metrics, iteration)
            if not self._overflowed():
                self._fail({"grad_norm": float(norm)}, iteration)
            return False
        metrics.set("grad_norm", norm)
        self._check(metrics, iteration)
        self._optimizer.step()
        self.has_learnt = True
        return True

    def _gradient_norm(self) -> Tensor | None:
        """Clip the mean gradient and return its norm before; None if all parameters are frozen."""
        parameters = [
            parameter for group in self._optimizer.param_groups for parameter in group["params"]
        ]
        count, self._num_accumulated = self._num_accumulated, 0
        self._ranks.average_gradients(parameters)
        gradients = _gradients_of(parameters)
        if not gradients:
            return None
        if count > 1:
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad = parameter.grad / count
            gradients = _gradients_of(parameters)
        if self._scaler is not None:
            self._scale_before = self._scaler.get_scale()
            self._scaler.unscale_(self._optimizer)
            self._scaler.update()
        norm = clip_norm_(gradients, self.max_grad_norm, may_wait=not self.defers_checks)
        if self.max_grad_value is not None:
            nn.utils.clip_grad_value_(parameters, self.max_grad_value)
        return norm

    def _overflowed(self) -> bool:
        """Return whether a gradient is not finite because of the scale of the losses.

        The scaler has lowered the scale then. A scale below 1 cannot be the reason.
        """
        assert self._scaler is not None
        return 1.0 <= self._scaler.get_scale() < self._scale_before

    def _check(self, metrics: TensorDictBase, iteration: int) -> None:
        """Require finite losses and gradients, with one transfer to the host for all of them.

        Or tell the optimizer to do nothing if there are others, and check them later.
        """
        checked = {
            name: value
            for name, value in metrics.items()
            if name.startswith("loss_") or name == "grad_norm"
        }
        if not checked:
            return
        values = torch.stack(list(checked.values()))
        if not self._can_defer:
            numbers = values.tolist()
            self._require_finite(dict(zip(checked, numbers, strict=True)), iteration)
            return
        is_bad = 1 - values.isfinite().all().float()
        optimizer: Any = self._optimizer
        before = optimizer.found_inf if self._unchecked else None
        optimizer.found_inf = is_bad if before is None else torch.maximum(before, is_bad)
        self._unchecked.append((list(checked), values, iteration))

    @property
    def _can_defer(self) -> bool:
        """Whether the optimizer can be told on the device to leave the parameters as they are."""
        is_fused = getattr(self._optimizer, "_step_supports_amp_scaling", False)
        return self.defers_checks and is_fused and self._scaler is None

    def _require_finite(self, values: dict[str, float], iteration: int) -> None:
        if bad := {name: value for name, value in values.items() if not isfinite(value)}:
            self._fail(bad, iteration)

    def _fail(self, bad: dict[str, float], iteration: int) -> None:
        """Raise the error for the losses and the gradient that are not finite."""
        self._num_accumulated = 0
        name, value = next(iter(bad.items()))
        problem = NonFiniteLoss(name, value, iteration)
        if self._on_non_finite == "stop":
            raise problem
        raise DivergenceError(f"{problem}{self._explained(bad)}")

    def _explained(self, bad: Collection[str]) -> str:
        """Say what is at fault, as far as it is known."""
        losses = {name for name in bad if name != "grad_norm"}
        if losses and losses <= {*self.added_losses}:
            terms = " and ".join(repr(name.removeprefix("loss_")) for name in sorted(losses))
            return (
                f", and all other losses are finite. See what the loss term {terms} returns: a "
                "logarithm or a division may need a lower limit. If it has grown from iteration to "
                "iteration, lower its weight or the learning rate, in a new run."
            )
        if not self.has_learnt:
            return (
                " before the first update, so the learning rate is not at fault. See whether the "
                "initial weights, the observations and the rewards are finite, and what the loss "
                "and its terms return."
            )
        return (
            ": training has diverged. Lower the learning rate or the limit on the "
            "gradient (rl.lr and rl.max_grad_norm, or those of solo_agent), in a new run; the "
            "metrics and checkpoints up to here are kept."
        )


def clip_norm_(
    gradients: list[Tensor], max_norm: float | None, *, may_wait: bool = False
) -> Tensor:
    """Scale gradients down to a joint norm, as ``nn.utils.clip_grad_norm_`` does, but faster.

    A compiled kernel does so where there is one. In PyTorch, with ``may_wait`` the host asks
    whether they exceed it, and leaves them alone if they do not; otherwise they are multiplied by 1
    then.

    Returns
    -------
    norm : Tensor
        The joint norm before, ().
    """
    by_kernel = clip_norm(gradients, max_norm)
    if by_kernel is not None:
        return by_kernel
    if len({(gradient.dtype, gradient.get_device()) for gradient in gradients}) > 1:
        norm = nn.utils.get_total_norm(gradients)
    else:
        norm = torch.linalg.vector_norm(torch._utils._flatten_dense_tensors(gradients))
    if max_norm is not None:
        factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        if not (may_wait and factor >= 1.0):
            torch._foreach_mul_(gradients, factor)
    return norm


def _gradients_of(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [gradient for each in parameters if (gradient := each.grad) is not None]


def _detached(losses: TensorDictBase) -> TensorDictBase:
    """Return scalars without their graph, faster than ``detach`` of a TensorDict does."""
    return TensorDict({name: value.detach() for name, value in losses.items()})


def _loss_names(metrics: TensorDictBase) -> list[str]:
    return [name for name in metrics.keys() if name.startswith("loss_")]
