"""The transformer computes the same function as that of PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nip.native.transformer import attend_fused, attend_with_products
from nip.scenarios.graph_isomorphism.transformer import TransformerEncoder

pytestmark = pytest.mark.usefixtures("float64")

BATCH, LENGTH, D_MODEL, NUM_HEADS = 3, 7, 8, 2


def make_mask() -> Tensor:
    """Return a mask with different rows in every sequence, none of them empty."""
    is_hidden = torch.rand(BATCH, LENGTH, LENGTH) < 0.5
    is_hidden[..., 0] = False
    return torch.zeros(is_hidden.shape).masked_fill(is_hidden, -torch.inf)


def encode(encoder: TransformerEncoder, tokens: Tensor, mask: Tensor) -> Tensor:
    """Apply the layers of an encoder alone: both maps change nothing."""
    width = tokens.shape[-1]
    unchanged = nn.Linear(width, width).to(tokens.dtype)
    with torch.no_grad():
        unchanged.weight.copy_(torch.eye(width))
        unchanged.bias.zero_()
    is_real = torch.ones(tokens.shape[:2], dtype=torch.bool)
    result: Tensor = encoder(tokens, mask, is_real, unchanged, unchanged)
    return result


@pytest.mark.parametrize("num_layers", [1, 3])
def test_it_computes_the_same_as_the_encoder_of_pytorch(num_layers: int) -> None:
    torch.manual_seed(0)
    own = TransformerEncoder(D_MODEL, 16, num_layers=num_layers, num_heads=NUM_HEADS)
    layer = nn.TransformerEncoderLayer(D_MODEL, NUM_HEADS, 16, dropout=0.0, batch_first=True)
    stock = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
    for parameter in stock.parameters():
        nn.init.normal_(parameter, std=0.5)
    own.load_state_dict(stock.state_dict())
    mask = make_mask()
    tokens = torch.randn(BATCH, LENGTH, D_MODEL, requires_grad=True)
    other_tokens = tokens.detach().clone().requires_grad_()
    result = encode(own, tokens, mask)
    expected = stock(other_tokens, mask.repeat_interleave(NUM_HEADS, dim=0))
    torch.testing.assert_close(result, expected, atol=1e-9, rtol=1e-9)
    weights = torch.randn_like(result)
    (result * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(tokens.grad, other_tokens.grad, atol=1e-9, rtol=1e-9)
    expected_grads = {name: parameter.grad for name, parameter in stock.named_parameters()}
    for name, parameter in own.named_parameters():
        torch.testing.assert_close(parameter.grad, expected_grads[name], atol=1e-9, rtol=1e-9)


def test_the_kernel_for_accelerators_computes_the_same_as_plain_products() -> None:
    torch.manual_seed(0)
    queries, keys, values = torch.randn(3, BATCH, LENGTH, 4).unbind(0)
    mask = make_mask()
    fused = attend_fused(queries, keys, values, mask, 0.0)
    torch.testing.assert_close(fused, attend_with_products(queries, keys, values, mask, 0.0))


def test_a_token_does_not_depend_on_what_it_may_not_attend_to() -> None:
    torch.manual_seed(0)
    encoder = TransformerEncoder(D_MODEL, 16, num_layers=1, num_heads=NUM_HEADS)
    tokens = torch.randn(1, 3, D_MODEL, requires_grad=True)
    mask = torch.tensor([[[0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0], [-torch.inf, 0.0, 0.0]]])
    encode(encoder, tokens, mask)[0, 0, 0].backward()
    assert tokens.grad is not None
    assert tokens.grad[0].any(dim=-1).tolist() == [True, True, False]


def test_dropout_happens_in_training_only() -> None:
    torch.manual_seed(0)
    encoder = TransformerEncoder(D_MODEL, 16, num_layers=1, num_heads=NUM_HEADS, dropout=0.5)
    plain = TransformerEncoder(D_MODEL, 16, num_layers=1, num_heads=NUM_HEADS)
    plain.load_state_dict(encoder.state_dict())
    tokens, mask = torch.randn(BATCH, LENGTH, D_MODEL), make_mask()
    assert not torch.allclose(encode(encoder, tokens, mask), encode(encoder, tokens, mask))
    torch.testing.assert_close(encode(encoder.eval(), tokens, mask), encode(plain, tokens, mask))


def test_tokens_of_a_single_feature_are_not_normalised_away() -> None:
    torch.manual_seed(0)
    encoder = TransformerEncoder(1, 4, num_layers=1, num_heads=1)
    mask = torch.zeros(1, 3, 3)
    first, second = encode(encoder, torch.tensor([[[1.0], [2.0], [3.0]]]), mask)[0, :2, 0].tolist()
    assert first != second
    layer = encoder.layers[0]
    tokens = torch.tensor([[[1.0], [2.0], [3.0]]])
    attention = layer.self_attn
    projected = F.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)
    queries, keys, values = projected.split(1, dim=-1)
    weights = (queries * keys.transpose(1, 2)).softmax(dim=-1)
    attended = tokens + attention.out_proj(weights @ values)
    expected = attended + layer.linear2(layer.linear1(attended).relu())
    torch.testing.assert_close(encode(encoder, tokens, mask), expected)


def test_both_maps_are_applied_and_padding_becomes_zeros() -> None:
    torch.manual_seed(0)
    encoder = TransformerEncoder(D_MODEL, 16, num_layers=1, num_heads=NUM_HEADS)
    first, last = nn.Linear(5, D_MODEL), nn.Linear(D_MODEL, 3)
    features, mask = torch.randn(BATCH, LENGTH, 5), make_mask()
    is_real = torch.rand(BATCH, LENGTH) < 0.7
    is_real[:, 0] = True
    result = encoder(features, mask, is_real, first, last)
    hidden = mask.masked_fill(~is_real.unsqueeze(1), -torch.inf)
    expected = last(encode(encoder, first(features), hidden))
    torch.testing.assert_close(result, expected * is_real.unsqueeze(-1))


@pytest.mark.parametrize("has_bias", [True, False])
def test_a_replaced_layer_is_used_and_trained(has_bias: bool) -> None:
    torch.manual_seed(0)
    encoder = TransformerEncoder(D_MODEL, 16, num_layers=2, num_heads=NUM_HEADS).float()
    tokens, mask = torch.randn(BATCH, LENGTH, D_MODEL).float(), make_mask().float()
    before = encode(encoder, tokens, mask)
    encoder.layers[0].linear1 = nn.Linear(D_MODEL, 16, bias=has_bias).float()
    after = encode(encoder, tokens, mask)
    assert not torch.allclose(before, after)
    after.sum().backward()
    assert all(each.grad is not None for each in encoder.parameters())


def test_layers_with_computed_weights() -> None:
    torch.manual_seed(0)
    encoder = TransformerEncoder(D_MODEL, 16, num_layers=1, num_heads=NUM_HEADS)
    tokens, mask = torch.randn(BATCH, LENGTH, D_MODEL), make_mask()
    before = encode(encoder, tokens, mask)
    nn.utils.parametrizations.weight_norm(encoder.layers[0].linear2)
    torch.testing.assert_close(encode(encoder, tokens, mask), before)
