"""What kernels cannot compute with is computed, or refused, by PyTorch."""

from collections.abc import Callable
from threading import Event, Thread

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from nip.native.action_statistics import Actions, action_statistics
from nip.native.gin import graph_isomorphism_network
from nip.native.kernels import kernels_for, native_kernels
from nip.native.library import unavailable_reason
from nip.native.perceptron import perceptron
from nip.native.transformer import transformer_encoder

HIDDEN, D_IN, D_OUT = 5, 3, 2


@pytest.fixture(autouse=True)
def _kernels() -> None:
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)


def random_weights(*shapes: tuple[int, ...]) -> list[Tensor]:
    torch.manual_seed(0)
    return [0.3 * torch.randn(shape) for shape in shapes]


def perceptron_weights() -> list[Tensor]:
    return random_weights((HIDDEN, D_IN), (HIDDEN,), (D_OUT, HIDDEN), (D_OUT,))


def apply_perceptron(rows: Tensor, weights: list[Tensor]) -> Tensor:
    return perceptron(rows, None, weights, "tanh")


def apply_gin(rows: Tensor, weights: list[Tensor]) -> Tensor:
    neighbours, is_real = torch.eye(rows.shape[1]).expand(len(rows), -1, -1), rows[..., 0] > -10
    return graph_isomorphism_network(
        rows, neighbours.contiguous(), is_real, weights, activation="tanh", num_streams=1
    )


def apply_transformer(rows: Tensor, weights: list[Tensor]) -> Tensor:
    length = rows.shape[1]
    allowed, is_real = torch.zeros(1, length, length), rows[..., 0] > -10
    return transformer_encoder(rows, allowed, is_real, weights, num_heads=2)


WIDTH = 4
SHAPES = {
    apply_perceptron: [(HIDDEN, D_IN), (HIDDEN,), (D_OUT, HIDDEN), (D_OUT,)],
    apply_gin: [
        *[(WIDTH, D_IN), (WIDTH,)],
        *[(HIDDEN, WIDTH), (HIDDEN,), (WIDTH, HIDDEN), (WIDTH,)] * 2,
    ],
    apply_transformer: [
        *[(WIDTH, D_IN), (WIDTH,)],
        *[(3 * WIDTH, WIDTH), (3 * WIDTH,), (WIDTH, WIDTH), (WIDTH,)],
        *[(HIDDEN, WIDTH), (HIDDEN,), (WIDTH, HIDDEN), *[(WIDTH,)] * 5],
        *[(D_OUT, WIDTH), (D_OUT,)],
    ],
}
PLACES = [(compute, place) for compute, shapes in SHAPES.items() for place in range(len(shapes))]


@pytest.mark.parametrize(
    ("compute", "place"), PLACES, ids=[f"{c.__name__}-{place}" for c, place in PLACES]
)
def test_weights_of_another_shape_are_never_read_by_a_kernel(
    compute: Callable[..., Tensor], place: int
) -> None:
    """The kernel would read beyond their ends."""
    rows, shapes = torch.ones(3, 4, D_IN), SHAPES[compute]
    first, *rest = shapes[place]
    changed = [*shapes[:place], (first - 1, *rest), *shapes[place + 1 :]]
    weights = random_weights(*changed)
    outcomes = []
    for is_native in (True, False):
        with native_kernels(is_native):
            try:
                outcomes.append(str(compute(rows, weights).tolist()))
            except (RuntimeError, ValueError) as error:
                outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
    # With the right shapes, the kernel does compute.
    weights = random_weights(*shapes)
    with native_kernels(False):
        plain = compute(rows, weights)
    torch.testing.assert_close(compute(rows, weights), plain, rtol=1e-4, atol=1e-5)


def test_inputs_of_other_sizes_are_refused_as_by_pytorch() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        apply_perceptron(torch.ones(3, 4, D_IN - 1), perceptron_weights())
    logits, counts = torch.zeros(3, 1, 2, 4), torch.ones(2, 1, dtype=torch.bool)
    with pytest.raises(RuntimeError, match="size"):
        action_statistics([Actions(logits, torch.zeros(3, 1, 2).long(), counts)], with_entropy=True)


def test_classes_of_any_integer_type() -> None:
    weights = random_weights((HIDDEN, D_IN + 2), (HIDDEN,), (D_OUT, HIDDEN), (D_OUT,))
    classes, rows = torch.tensor([0, 1, 1]), torch.ones(3, 1, D_IN)
    expected = perceptron(rows, classes, weights, "tanh")
    assert torch.equal(perceptron(rows, classes.int(), weights, "tanh"), expected)


@pytest.mark.filterwarnings("ignore:.*jit.script.*:DeprecationWarning")
def test_derivatives_in_forward_mode_are_those_of_pytorch() -> None:
    weights, rows = perceptron_weights(), torch.ones(1, 1, D_IN)
    tangents = []
    for is_native in (True, False):
        with native_kernels(is_native), forward_ad.dual_level():
            output = apply_perceptron(forward_ad.make_dual(rows, torch.ones_like(rows)), weights)
            tangents.append(forward_ad.unpack_dual(output).tangent)
    assert tangents[0] is not None
    assert torch.equal(tangents[0], tangents[1])


def test_transformed_and_symbolic_functions_are_computed_by_pytorch() -> None:
    weights, rows = perceptron_weights(), torch.ones(2, 1, D_IN)

    def total(rows: Tensor) -> Tensor:
        return apply_perceptron(rows, weights).sum()

    copy = rows.clone().requires_grad_()
    total(copy).backward()
    torch.testing.assert_close(torch.func.grad(total)(rows), copy.grad)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = apply_perceptron(mode.from_tensor(rows), weights)
    assert fake.shape == (2, 1, D_OUT)


def test_activations_can_be_computed_again_in_the_backward_pass() -> None:
    weights = perceptron_weights()
    rows = torch.ones(2, 1, D_IN, requires_grad=True)
    apply_perceptron(rows, weights).sum().backward()
    expected, rows.grad = rows.grad, None
    checkpoint(apply_perceptron, rows, weights, use_reentrant=False).sum().backward()
    assert rows.grad is not None and expected is not None
    assert torch.equal(rows.grad, expected)


@pytest.mark.parametrize("level", [0.0, 1e4, -1e6, -1e9, 1e10])
def test_only_differences_of_logits_count(level: float) -> None:
    # Exact in single precision at every level.
    logits = torch.tensor([0.0, -1024.0, -2048.0]) + level
    logits = logits.view(1, 1, 1, 3).requires_grad_()
    actions = Actions(logits, torch.zeros(1, 1, 1).long(), torch.ones(1, 1, dtype=torch.bool))
    action_statistics([actions], with_entropy=True).sum().backward()
    assert logits.grad is not None
    assert logits.grad.flatten().tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-7)


@pytest.mark.parametrize("level", [0.0, 1e4, -1e6, -1e9, 1e10])
def test_equal_logits_are_equally_probable_at_any_level(level: float) -> None:
    logits = torch.full((1, 1, 1, 3), level, requires_grad=True)
    actions = Actions(logits, torch.zeros(1, 1, 1).long(), torch.ones(1, 1, dtype=torch.bool))
    log_prob, entropy = action_statistics([actions], with_entropy=True)
    log_prob.sum().backward()
    assert log_prob.item() == pytest.approx(-1.0986123)
    assert entropy.item() == pytest.approx(1.0986123)
    assert logits.grad is not None
    assert logits.grad.flatten().tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3])


def test_threads_choose_for_themselves() -> None:
    is_off, may_end, found = Event(), Event(), []

    def without() -> None:
        with native_kernels(False):
            is_off.set()
            may_end.wait(60)
            found.append(kernels_for([torch.zeros(1)]))

    thread = Thread(target=without)
    thread.start()
    is_off.wait(60)
    with native_kernels(True):
        may_end.set()
        thread.join()
        assert kernels_for([torch.zeros(1)]) is not None
    assert found == [None]


def test_a_choice_that_is_never_undone_disturbs_no_other_thread() -> None:
    kept: list[object] = []

    def choose() -> None:
        choice = native_kernels(False)
        choice.__enter__()
        kept.append(choice)

    thread = Thread(target=choose)
    thread.start()
    thread.join()
    # Unraisable exceptions are errors in tests.
    kept.clear()
    assert kernels_for([torch.zeros(1)]) is not None
