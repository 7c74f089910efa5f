"""Check that heads with compiled kernels compute what their layers compute."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nip.native.kernels import native_kernels
from nip.scenario_base.agents import AgentPart


def check_heads(
    heads: Sequence[AgentPart],
    representation: Mapping[str, Tensor],
    observation: Mapping[str, Tensor],
    *,
    has_kernel: bool,
) -> None:
    """Compare outputs and gradients of policy, value and solo head, with kernels and without.

    ``has_kernel`` tells whether the heads have as many layers as those with a kernel.
    """
    found: list[list[Tensor]] = []
    for is_native in (True, False):
        nn.ModuleList(heads).zero_grad()
        given = {name: each.clone().requires_grad_() for name, each in representation.items()}
        with native_kernels(is_native):
            logits, *outputs = (head(given, observation) for head in heads)
            outputs += [logits["message"].tanh(), logits["decision"]]
            torch.stack([each.square().sum() for each in outputs]).sum().backward()
        gradients = [each.grad for each in (*given.values(), *nn.ModuleList(heads).parameters())]
        found.append([*outputs, *(each for each in gradients if each is not None)])
    for native, plain in zip(*found, strict=True):
        torch.testing.assert_close(native, plain, rtol=1e-4, atol=1e-5)
    # Otherwise PyTorch would be compared with itself.
    assert all(map(torch.equal, *found)) == (not has_kernel)
