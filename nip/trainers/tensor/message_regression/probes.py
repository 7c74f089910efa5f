"""Networks that predict a class from a message, and their training."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from nip.parameters.message_regression import MessageRegressionParameters
from nip.scenario_base.networks import ACTIVATIONS, build_mlp


class Probe(nn.Module):
    """Predicts a class from the symbols of a message.

    Parameters
    ----------
    params : MessageRegressionParameters
        Kind and sizes of the network.
    num_planes : int
        Number of symbols of a message: channels times positions.
    grid : tuple of int
        Shape of the grid from which each symbol is chosen. Convolutions need two dimensions.
    num_linear : int
        Number of features of linear symbols.
    num_classes : int
        Number of classes.
    """

    def __init__(
        self,
        params: MessageRegressionParameters,
        num_planes: int,
        grid: tuple[int, ...],
        num_linear: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = num_planes
        if params.regression_method == "cnn":
            layers.append(nn.Unflatten(2, grid))
            for _ in range(params.cnn_num_layers):
                layers.append(
                    nn.Conv2d(
                        width, params.cnn_num_channels, params.cnn_kernel_size, padding="same"
                    )
                )
                layers.append(ACTIVATIONS[params.mlp_activation]())
                width = params.cnn_num_channels
        self.image = nn.Sequential(*layers, nn.Flatten())
        self.mlp = build_mlp(
            width * torch.Size(grid).numel() + num_linear,
            params.mlp_hidden_size,
            num_classes,
            num_layers=params.mlp_num_layers,
            activation=params.mlp_activation,
        )

    def forward(
        self, planes: Float[Tensor, "row plane symbol"], linear: Float[Tensor, "row feature"]
    ) -> Float[Tensor, "row label"]:
        """Return the logits of the classes."""
        return self.mlp(torch.cat((self.image(planes), linear), dim=-1))


@torch.enable_grad()
def fit_probe(
    probe: Probe,
    planes: Float[Tensor, "row plane symbol"],
    linear: Float[Tensor, "row feature"],
    target: Int[Tensor, " row"],
    params: MessageRegressionParameters,
    generator: torch.Generator,
) -> None:
    """Train a probe on messages and their classes, in minibatches that the generator shuffles."""
    probe.train()
    optimizer = torch.optim.Adam(probe.parameters(), lr=params.mlp_learning_rate)
    for _ in range(params.mlp_num_epochs):
        order = torch.randperm(len(target), generator=generator).to(target.device)
        for rows in order.split(params.mlp_batch_size):
            loss = F.cross_entropy(probe(planes[rows], linear[rows]), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    probe.eval()
