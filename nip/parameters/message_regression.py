"""Parameters of message regression, which measures what messages reveal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from nip.parameters.fields.outside_names import PLAIN_TEXT
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import ActivationType, Count, OpenUnitInterval, Positive
from nip.utils.memory_limit import MemoryNeed

_OPTIONS = (
    "agents",
    "regression_method",
    "target",
    "test_size",
    "reset_on_fit",
    "mlp_num_layers",
    "mlp_hidden_size",
    "mlp_activation",
    "mlp_num_epochs",
    "mlp_batch_size",
    "mlp_learning_rate",
    "cnn_num_layers",
    "cnn_num_channels",
    "cnn_kernel_size",
)


@register_parameter_class
@dataclass
class MessageRegressionParameters(SubParameters):
    """Message regression: a network that predicts the label from an agent's first message."""

    enabled: bool = False
    """Fit the networks in each test and evaluation, and log how well they predict."""

    agents: Annotated[tuple[str, ...] | None, PLAIN_TEXT] = None
    """Names of the agents whose messages are read; None: all."""

    regression_method: Literal["mlp", "cnn"] = "mlp"
    """Network: a perceptron, or convolutions before it, where messages name pixels of an image."""

    target: Annotated[str, PLAIN_TEXT] = "y"
    """What is predicted: ``y``, the label, or a one-hot observation, such as ``secret`` in toy."""

    test_size: OpenUnitInterval = 0.2
    """Share of the messages that are held out, on which the accuracy is measured."""

    reset_on_fit: bool = True
    """Start from new weights in each evaluation instead of those of the last one."""

    mlp_num_layers: Count = 2
    """Number of linear layers of the perceptron; at least two are built."""

    mlp_hidden_size: Count = 64
    """Width of its hidden layers."""

    mlp_activation: ActivationType = "relu"
    """Activation function."""

    mlp_num_epochs: Count = 10
    """Number of passes over the messages."""

    mlp_batch_size: Count = 512
    """Number of messages per minibatch."""

    mlp_learning_rate: Positive = 0.001
    """Learning rate."""

    cnn_num_layers: Count = 2
    """Number of convolutions."""

    cnn_num_channels: Count = 16
    """Number of channels of each convolution."""

    cnn_kernel_size: Count = 3
    """Width of the kernels, an odd number."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            _OPTIONS,
            "unless message_regression.enabled=True",
            lambda params, _: not params.enabled,
        ),
        UnusedOptionRule(
            ("cnn_num_layers", "cnn_num_channels", "cnn_kernel_size"),
            "unless message_regression.regression_method='cnn'",
            lambda params, _: params.regression_method != "cnn",
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require kernels that have a centre, and agents to read."""
        if self.cnn_kernel_size % 2 == 0:
            yield (
                f"{at('cnn_kernel_size')} must be odd, so that convolutions keep the size of the "
                f"image, got {self.cnn_kernel_size}. Choose {self.cnn_kernel_size + 1}."
            )
        if self.agents is not None and not self.agents:
            yield (
                f"{at('agents')} must name at least one agent, got {self.agents!r}. Use null for "
                f"all agents, or set {at('enabled')}=False."
            )

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the size of the hidden layers and of the kernels."""
        if not self.enabled:
            return
        layers, width = self.mlp_num_layers, self.mlp_hidden_size
        options = {at("mlp_num_layers"): layers, at("mlp_hidden_size"): width}
        yield MemoryNeed("message regression", options, 4 * width * (1 + (layers - 2) * width))
        if self.regression_method == "cnn":
            count, channels, kernel = (
                self.cnn_num_layers,
                self.cnn_num_channels,
                self.cnn_kernel_size,
            )
            options = {
                at("cnn_num_layers"): count,
                at("cnn_num_channels"): channels,
                at("cnn_kernel_size"): kernel,
            }
            needed = 4 * kernel**2 * channels * (1 + (count - 1) * channels)
            yield MemoryNeed("message regression", options, needed)
