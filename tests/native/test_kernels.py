"""Compiled kernels and PyTorch compute the same outputs, gradients and second derivatives."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from nip.native.action_statistics import Actions, action_statistics
from nip.native.gin import graph_isomorphism_network
from nip.native.kernels import kernels_for, native_kernels
from nip.native.library import unavailable_reason
from nip.native.perceptron import perceptron
from nip.native.pooling import PairTokens
from nip.native.transformer import transformer_encoder

pytestmark = pytest.mark.numerics

Computation = Callable[[Sequence[Tensor]], Tensor]
Case = tuple[Computation, list[Tensor]]


@pytest.fixture(autouse=True)
def _kernels() -> None:
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)


def gin_case(
    graphs: int,
    nodes: int,
    streams: int,
    width: int,
    hidden: int,
    layers: int,
    activation: str,
    *,
    d_in: int = 3,
    given: int = 1,
) -> Case:
    """Return a network on random graphs of all sizes, and their features and weights."""
    torch.manual_seed(0)
    sizes = torch.arange(graphs) % (nodes + 1)
    mask = torch.arange(nodes) < sizes.unsqueeze(-1)
    edges = (torch.rand(graphs, nodes, nodes) < 0.4) & mask.unsqueeze(1) & mask.unsqueeze(2)
    neighbours = edges.float() + 1.25 * torch.eye(nodes)
    shapes = [(hidden, width), (hidden,), (width, hidden), (width,)] * layers
    shapes = [(width, d_in), (width,), *shapes]
    weights = [0.3 * torch.randn(shape) for shape in shapes]

    def compute(inputs: Sequence[Tensor]) -> Tensor:
        return graph_isomorphism_network(
            inputs[0],
            neighbours.to(inputs[0].dtype),
            mask,
            inputs[1:],
            activation=activation,
            num_streams=streams,
        )

    return compute, [torch.randn(graphs, nodes, given * d_in), *weights]


def transformer_case(
    batch: int,
    length: int,
    width: int,
    hidden: int,
    heads: int,
    layers: int,
    *,
    each: bool,
    d_in: int = 7,
    d_out: int = 5,
) -> Case:
    """Return an encoder, and random features of tokens, some of them padding, and weights."""
    torch.manual_seed(0)
    is_real = torch.rand(batch, length) < 0.7
    is_real[:, 0] = True
    is_hidden = torch.rand(batch if each else 1, length, length) < 0.5
    is_hidden[..., 0] = False
    allowed = torch.zeros(is_hidden.shape).masked_fill(is_hidden, -torch.inf)
    shapes = [(3 * width, width), (3 * width,), (width, width), (width,)]
    shapes += [(hidden, width), (hidden,), (width, hidden), *[(width,)] * 5]
    shapes = [(width, d_in), (width,), *(shapes * layers), (d_out, width), (d_out,)]
    weights = [0.4 * torch.randn(shape) for shape in shapes]

    def compute(inputs: Sequence[Tensor]) -> Tensor:
        mask = allowed.to(inputs[0].dtype)
        return transformer_encoder(inputs[0], mask, is_real, inputs[1:], num_heads=heads)

    return compute, [torch.randn(batch, length, d_in), *weights]


def perceptron_case(
    groups: int,
    rows: int,
    features: int,
    hidden: int,
    d_out: int,
    activation: str,
    classes: int = 0,
) -> Case:
    """Return a perceptron on a part of the rows of each group, and these and its weights."""
    torch.manual_seed(0)
    of_groups = torch.arange(groups) % classes if classes else None
    shapes = [(hidden, features + classes), (hidden,), (d_out, hidden), (d_out,)]
    weights = [0.3 * torch.randn(shape) for shape in shapes]

    def compute(inputs: Sequence[Tensor]) -> Tensor:
        return perceptron(inputs[0][:, 2:], of_groups, inputs[1:], activation)

    return compute, [torch.randn(groups, rows + 2, features), *weights]


def pooling_case(pairs: int, nodes: int, width: int, comparison: str, num_extras: int = 3) -> Case:
    """Return a pooling of pairs, one of equal graphs, and nodes, with a feature that is constant.

    The last inputs are the weight and the bias of its normalisation.
    """
    torch.manual_seed(0)
    features = torch.randn(pairs, 2, nodes, width)
    features[0, 1] = features[0, 0]
    features[..., -1] = 0.5
    extras = torch.randn(pairs, 2 + 2 * nodes, num_extras)

    def compute(inputs: Sequence[Tensor]) -> Tensor:
        pooling = PairTokens(1e-5, comparison, 1e-4, 5.0, lambda mean, variance: None)
        library = kernels_for(inputs)
        given = inputs[0], extras.to(inputs[0].dtype), *inputs[1:]
        return pooling.in_pytorch(*given) if library is None else pooling(library, *given)

    return compute, [features, torch.randn(width), torch.randn(width)]


def actions_case(
    batch: tuple[int, ...], kinds: Sequence[tuple[int, int, int]], *, with_entropy: bool = True
) -> Case:
    """Return statistics of actions of some kinds (channels, positions, symbols), and the logits.

    A symbol of each is illegal. Some actions do not count.
    """
    torch.manual_seed(0)
    logits = [2 * torch.randn(*batch, *sizes) for sizes in kinds]
    chosen = [each[..., :-1].flip(-1).argmax(-1) for each in logits]
    counts = [torch.rand(*batch, channels) < 0.7 for channels, _, _ in kinds]
    for each in logits:
        each[..., -1] = -1e9

    def compute(inputs: Sequence[Tensor]) -> Tensor:
        return action_statistics(
            [Actions(*fields) for fields in zip(inputs, chosen, counts, strict=True)],
            with_entropy=with_entropy,
        )

    return compute, list(logits)


CASES = {
    "default GIN": lambda: gin_case(24, 11, 2, 16, 64, 5, "tanh", d_in=8),
    "one stream": lambda: gin_case(5, 5, 1, 8, 20, 2, "relu"),
    "odd widths": lambda: gin_case(6, 7, 3, 5, 3, 3, "sigmoid", given=2),
    "no layers of a GIN": lambda: gin_case(5, 5, 2, 8, 0, 0, "relu"),
    "no graphs": lambda: gin_case(0, 4, 1, 4, 4, 1, "tanh"),
    "no nodes": lambda: gin_case(1, 4, 2, 4, 4, 1, "tanh"),
    "widths of one": lambda: gin_case(3, 2, 1, 1, 1, 1, "tanh"),
    "large graphs": lambda: gin_case(4, 60, 2, 40, 72, 2, "tanh", d_in=17, given=2),
    "default transformer": lambda: transformer_case(
        24, 24, 16, 64, 4, 4, each=False, d_in=35, d_out=16
    ),
    "a mask for each": lambda: transformer_case(5, 9, 16, 64, 4, 2, each=True),
    "odd sizes": lambda: transformer_case(3, 5, 6, 10, 3, 3, each=True, d_in=1, d_out=9),
    "no sequences": lambda: transformer_case(0, 4, 4, 4, 1, 1, each=False),
    "one token": lambda: transformer_case(2, 1, 4, 3, 2, 1, each=False),
    "long sequences": lambda: transformer_case(2, 122, 40, 72, 5, 2, each=False),
    "several blocks": lambda: transformer_case(40, 19, 8, 12, 2, 2, each=True),
    "nodes of graphs": lambda: perceptron_case(50, 22, 16, 16, 1, "tanh"),
    "pairs with a round": lambda: perceptron_case(50, 1, 32, 64, 3, "tanh", classes=9),
    "odd perceptron": lambda: perceptron_case(5, 3, 7, 20, 5, "sigmoid", classes=2),
    "many rows": lambda: perceptron_case(2, 150, 3, 5, 2, "relu"),
    "no rows": lambda: perceptron_case(0, 3, 3, 5, 2, "relu"),
    "default pooling": lambda: pooling_case(24, 11, 32, "linear"),
    "logarithmic pooling": lambda: pooling_case(6, 5, 7, "log"),
    "pooling without comparison": lambda: pooling_case(3, 4, 17, "none", num_extras=0),
    "actions": lambda: actions_case((50,), [(1, 1, 22), (1, 1, 3)]),
    "actions of several runs": lambda: actions_case((2, 5), [(3, 2, 40), (3, 2, 2), (1, 1, 3)]),
    "log-probability alone": lambda: actions_case((7,), [(2, 3, 16)], with_entropy=False),
    "no actions": lambda: actions_case((0,), [(2, 3, 16)]),
    "no layers": lambda: transformer_case(2, 4, 4, 4, 1, 0, each=False),
}


def derivatives(case: Case, *, is_native: bool, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Return the output, and the gradients of a random linear function of it."""
    compute, values = case
    inputs = [value.to(dtype).requires_grad_() for value in values]
    with native_kernels(is_native):
        output = compute(inputs)
        direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
        total = (output * direction.to(dtype)).sum()
        gradients = torch.autograd.grad(total, inputs)
        with torch.no_grad():
            assert torch.equal(compute(inputs), output)
    return [output.detach(), *gradients]


def distance(values: Sequence[Tensor], exact: Sequence[Tensor]) -> float:
    """Return the largest error relative to the largest entry of each tensor."""
    errors = [
        float((one - other).abs().max() / other.abs().max().clamp_min(1e-2))
        for one, other in zip(values, exact, strict=True)
        if one.numel()
    ]
    return max(errors, default=0.0)


DEFAULTS = [
    "default GIN",
    "default transformer",
    "pairs with a round",
    "default pooling",
]


@pytest.mark.parametrize("name", CASES)
def test_they_are_as_exact_as_pytorch(name: str) -> None:
    case = CASES[name]()
    exact = derivatives(case, is_native=False, dtype=torch.float64)
    plain = distance(derivatives(case, is_native=False), exact)
    assert distance(derivatives(case, is_native=True), exact) < 5e-6 + 4 * plain < 1e-3


@pytest.mark.parametrize("name", DEFAULTS)
def test_they_give_the_same_bits_again_but_not_those_of_pytorch(name: str) -> None:
    case = CASES[name]()
    first, second = (derivatives(case, is_native=True) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    # Otherwise these tests would compare PyTorch with itself.
    assert not torch.equal(first[-1], derivatives(case, is_native=False)[-1])


SMALL = [
    "one stream",
    "odd widths",
    "a mask for each",
    "odd sizes",
    "odd perceptron",
    "actions of several runs",
    "log-probability alone",
    "logarithmic pooling",
]


@pytest.mark.parametrize("name", SMALL)
def test_gradients_can_be_differentiated_again(name: str) -> None:
    compute, values = CASES[name]()
    second = []
    for is_native in (True, False):
        inputs = [value.clone().requires_grad_() for value in values]
        with native_kernels(is_native):
            gradients = torch.autograd.grad(compute(inputs).sum(), inputs, create_graph=True)
            squares = sum((gradient**2).sum() for gradient in gradients)
            second.append(torch.autograd.grad(squares, inputs, materialize_grads=True))
    assert distance(*second) < 1e-4


@pytest.mark.parametrize("name", CASES)
def test_the_change_of_the_output_along_a_direction(name: str) -> None:
    compute, values = CASES[name]()
    directions = [torch.randn(value.shape) for value in values]
    changes = []
    for is_native, dtype in ((True, torch.float32), (False, torch.float32), (False, torch.float64)):
        inputs = [value.to(dtype).requires_grad_() for value in values]
        with native_kernels(is_native):
            output = compute(inputs)
            # The derivative of a product of the Jacobian with weights, in the weights.
            weights = torch.zeros_like(output, requires_grad=True)
            products = torch.autograd.grad(output, inputs, weights, create_graph=True)
            pairs = zip(products, directions, strict=True)
            slope = sum((product * each.to(dtype)).sum() for product, each in pairs)
            changes.append(torch.autograd.grad(slope, weights)[0])
    native, plain, exact = ([change] for change in changes)
    assert distance(native, exact) < 5e-6 + 4 * distance(plain, exact) < 1e-3


@pytest.mark.parametrize("by_output", [False, True])
@pytest.mark.parametrize("name", ["one stream", "a mask for each"])
def test_third_derivatives_are_refused(name: str, by_output: bool) -> None:
    compute, values = CASES[name]()
    inputs = [value.requires_grad_() for value in values]
    with native_kernels(True):
        output = compute(inputs)
    weights = torch.ones_like(output, requires_grad=True)
    total = (output * weights).sum()
    for _ in range(2):
        gradients = torch.autograd.grad(total, inputs, create_graph=True)
        total = torch.stack([gradient.square().sum() for gradient in gradients]).sum()
    with pytest.raises(RuntimeError, match="no third derivatives"):
        torch.autograd.grad(total, weights if by_output else inputs)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_frozen_weight_gets_no_gradient(name: str) -> None:
    compute, values = CASES[name]()
    values[2].requires_grad_()
    with native_kernels(True):
        compute(values).sum().backward()
    assert [value.grad is not None for value in values] == [at == 2 for at in range(len(values))]


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_weight_that_is_not_a_number_is_not_hidden(name: str) -> None:
    compute, values = CASES[name]()
    values[1].view(-1)[0] = torch.nan
    with native_kernels(True):
        assert compute(values).isnan().any()


def test_sequences_that_are_computed_together_do_not_mix() -> None:
    _, (features, *weights) = transformer_case(24, 24, 16, 64, 4, 4, each=False)
    is_real = torch.rand(24, 24) < 0.8
    is_real[5] = False
    features[3] = torch.nan
    directions = torch.randn(24, 24, 5)

    def compute(rows: slice) -> list[Tensor]:
        given = features[rows].clone().requires_grad_()
        pattern = torch.zeros(1, 24, 24)
        with native_kernels(True):
            output = transformer_encoder(given, pattern, is_real[rows], weights, num_heads=4)
            (gradient,) = torch.autograd.grad(output, given, directions[rows])
        return [output.detach(), gradient]

    together = compute(slice(None))
    apart = [compute(slice(row, row + 1)) for row in range(24)]
    for whole, *parts in zip(together, *apart, strict=True):
        torch.testing.assert_close(whole, torch.cat(parts), rtol=0, atol=0, equal_nan=True)
        broken = whole.isnan().flatten(1).any(1)
        assert broken.nonzero().flatten().tolist() == [3]
        assert not whole[5].any() and whole[4].any()


def test_a_class_that_does_not_exist_is_refused() -> None:
    weights = [torch.ones(shape) for shape in ((4, 5), (4,), (1, 4), (1,))]
    with native_kernels(True), pytest.raises(IndexError, match="from 0 to 2, got 1 to 3"):
        perceptron(torch.zeros(2, 1, 2), torch.tensor([1, 3]), weights, "relu")


@pytest.mark.parametrize("symbol", [-1, 4])
def test_a_symbol_that_does_not_exist_is_refused(symbol: int) -> None:
    counts = torch.ones(1, 1, dtype=torch.bool)
    actions = Actions(torch.zeros(1, 1, 1, 4), torch.full((1, 1, 1), symbol), counts)
    with native_kernels(True), pytest.raises(IndexError, match=f"4, .*got {symbol} to {symbol}"):
        action_statistics([actions], with_entropy=True)


def test_a_padded_row_of_impossible_symbols_is_not_hidden() -> None:
    counts = torch.ones(1, 1, dtype=torch.bool)
    logits = torch.full((1, 1, 1, 4), -torch.inf)
    actions = Actions(logits, torch.zeros(1, 1, 1, dtype=torch.long), counts)
    for is_native in (True, False):
        with native_kernels(is_native):
            assert action_statistics([actions], with_entropy=True).isnan().all()


def test_padding_has_no_effect_and_becomes_zeros() -> None:
    torch.manual_seed(0)
    shapes = [(4, 4), (4,), (8, 4), (8,), (4, 8), (4,)]
    weights = [torch.randn(shape) for shape in shapes]
    mask = torch.tensor([[True, True, False]])
    one, other = torch.randn(2, 1, 3, 4)
    other[:, :2] = one[:, :2]
    neighbours = torch.tensor([[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    with native_kernels(True):
        results = [
            graph_isomorphism_network(
                x, neighbours, mask, weights, activation="tanh", num_streams=1
            )
            for x in (one, other)
        ]
    assert torch.equal(*results) and not results[0][0, 2].any() and results[0][0, 1].all()
