"""Batch normalisation that does not amplify features which are constant over the batch."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StableBatchNorm1d(nn.BatchNorm1d):
    """``nn.BatchNorm1d``, in which constant features are shifted and not scaled.

    The variance of a constant feature is 0, so that ``nn.BatchNorm1d`` multiplies its gradient by
    ``1 / sqrt(eps)``, about 316. Where the variance is at most ``eps``, the divisor is 1 here, and
    the running variance stays as it is. All other features are normalised as usual.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as in PyTorch
        """Normalise a batch of vectors, (row, feature)."""
        if len(input) == 0:
            # A mean of no rows is NaN, and would stay in the running statistics.
            return input * self.weight + self.bias
        assert self.running_mean is not None and self.running_var is not None
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = input.mean(dim=0), input.var(dim=0, correction=0)
        is_constant = variance <= self.eps
        normalized = F.batch_norm(
            input,
            None if self.training else mean,
            None if self.training else variance,
            self.weight,
            self.bias,
            training=self.training,
            eps=self.eps,
        )
        if self.training:
            self._track(mean.detach(), variance.detach(), is_constant, num_rows=len(input))
        shifted = (input - mean) * self.weight + self.bias
        return torch.where(is_constant, shifted, normalized)

    def _track(self, mean: Tensor, variance: Tensor, is_constant: Tensor, num_rows: int) -> None:
        """Update the running statistics, as ``nn.BatchNorm1d`` does, with the unbiased variance."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        unbiased = (variance * num_rows / (num_rows - 1)).to(self.running_var.dtype)
        unbiased = torch.where(is_constant, self.running_var, unbiased)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)
        self.num_batches_tracked.add_(1)
