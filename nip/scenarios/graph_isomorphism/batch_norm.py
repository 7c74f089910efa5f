"""Batch normalisation that does not amplify features which are constant over the batch."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F


class StableBatchNorm1d(nn.BatchNorm1d):
    """``nn.BatchNorm1d``, in which constant features are shifted and not scaled.

    The variance of a constant feature is 0, so that ``nn.BatchNorm1d`` multiplies its gradient by
    ``1 / sqrt(eps)``, about 316. Where the variance is at most ``eps``, the divisor is 1 here, and
    the running variance stays as it is. All other features are normalised as usual.
    """

    reads_row_mask = True

    def forward(
        self,
        input: Float[Tensor, "row feature"],  # noqa: A002 - as in PyTorch
        row_mask: Bool[Tensor, " row"] | None = None,
    ) -> Float[Tensor, "row feature"]:
        """Normalise a batch of vectors.

        Parameters
        ----------
        input : Tensor
            The vectors.
        row_mask : Tensor, optional
            Rows that the statistics are computed from; None: all. The others are normalised like
            them.
        """
        if row_mask is not None and self.training:
            return self._masked(input, row_mask)
        if len(input) == 0:
            # A mean of no rows is NaN, and would stay in the running statistics.
            return input * self.weight + self.bias
        assert self.running_mean is not None and self.running_var is not None
        if not self.training:
            scale = _inverse_std(self.running_var, self.eps) * self.weight
            return torch.addcmul(self.bias, input - self.running_mean, scale)
        mean, variance = input.mean(dim=0), input.var(dim=0, correction=0)
        is_constant = variance <= self.eps
        normalized = F.batch_norm(
            input, None, None, self.weight, self.bias, training=True, eps=self.eps
        )
        self.track(mean.detach(), variance.detach(), num_rows=len(input))
        shifted = torch.addcmul(self.bias, input - mean, self.weight)
        return torch.where(is_constant, shifted, normalized)

    def track(self, mean: Tensor, variance: Tensor, *, num_rows: int) -> None:
        """Update the running statistics by those of a batch."""
        self._track(mean, variance, variance <= self.eps, num_rows=num_rows)
        self._count(1)

    def _masked(self, input: Tensor, row_mask: Tensor) -> Tensor:  # noqa: A002 - as above
        """Normalise by the statistics of some rows, without asking the device for their number."""
        assert self.running_mean is not None and self.running_var is not None
        counts = row_mask.to(input.dtype).unsqueeze(-1)
        num_rows = counts.sum()
        divisor = num_rows.clamp_min(1)
        mean = (input * counts).sum(dim=0) / divisor
        centred = input - mean
        variance = (centred.square() * counts).sum(dim=0) / divisor
        is_constant = variance <= self.eps
        scale = _inverse_std(variance, self.eps)
        has_rows = num_rows > 0
        old = self.running_mean
        tracked = torch.where(has_rows, mean.detach(), old), variance.detach(), is_constant
        # A batch without rows leaves all statistics as they are: its variance, 0, is constant.
        self._track(*tracked, num_rows=num_rows.clamp_min(2))
        self._count(has_rows)
        return centred * scale * self.weight + self.bias

    def _track(
        self, mean: Tensor, variance: Tensor, is_constant: Tensor, num_rows: int | Tensor
    ) -> None:
        """Update the running statistics, as ``nn.BatchNorm1d`` does, with the unbiased variance."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.momentum is not None
        unbiased = (variance * (num_rows / (num_rows - 1))).to(self.running_var.dtype)
        unbiased = torch.where(is_constant, self.running_var, unbiased)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)

    def _count(self, num_batches: int | Tensor) -> None:
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(num_batches)


def _inverse_std(variance: Tensor, eps: float) -> Tensor:
    """Return the inverse standard deviation of each feature; 1 if it is constant."""
    return torch.where(variance <= eps, 1.0, (variance + eps).rsqrt())
