"""What a step does with the gradients of minibatches."""

import json
from math import inf, nan

import pytest
import torch
from tensordict import TensorDict
from torch import nn

from nip.errors import DivergenceError
from nip.native.kernels import native_kernels
from nip.native.library import unavailable_reason
from nip.rl_objectives import Objective
from nip.trainers.tensor.learning.joint_adam import JointAdam
from nip.trainers.tensor.learning.update_step import NonFiniteLoss, UpdateStep, clip_norm_
from nip.utils.ranks import Ranks
from tests.experiments import make_instance, make_params, make_trainer

CPU = torch.device("cpu")


class Regression(Objective):
    """The mean squared error of a linear layer, beside the agents."""

    def __init__(self, agents):
        super().__init__(agents)
        self.layer = nn.Linear(3, 1)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([[0.5, -1.0, 2.0]]))
            self.layer.bias.zero_()

    def forward(self, tensordict):
        error = self.layer(tensordict["x"]) - tensordict["y"]
        # Under autocast the layer returns 16 bits.
        square = error.to(torch.get_default_dtype()) ** 2
        return TensorDict({"loss_fit": square.mean(), "error": error.mean()})


def make_objective():
    return Regression(make_instance(make_params()).agents)


def data(num, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num, 3, generator=generator)
    return TensorDict({"x": x, "y": x.sum(-1, keepdim=True)}, [num])


def begin(objective, optimizer=None, **options):
    """Return an update step and an optimizer of a new sort of descent, with rate 1 / 10."""
    optimizer = optimizer or torch.optim.SGD(objective.layer.parameters(), lr=0.1)
    step = UpdateStep(**options)
    step.begin(optimizer, CPU)
    return step, optimizer


def learn(step, objective, minibatches, **changes):
    """Step on each minibatch, and return the metrics and whether each moved the parameters."""
    return [
        step.step(lambda batch=batch: objective(batch), objective, **changes)
        for batch in minibatches
    ]


def parameters_of(objective):
    return torch.cat([p.detach().flatten() for p in objective.layer.parameters()]).clone()


def watch_norms(optimizer):
    """Return a list which gets the norm and the largest entry of each gradient stepped on."""
    seen = []

    def look(optimizer, args, kwargs):
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        seen.append((float(flat.norm()), float(flat.abs().max())))

    optimizer.register_step_pre_hook(look)
    return seen


@pytest.mark.parametrize("uses_kernels", [False, True])
def test_a_step_is_bit_by_bit_backward_clip_and_step(uses_kernels):
    with native_kernels(uses_kernels):
        check_a_step(uses_kernels)


def check_a_step(uses_kernels):
    """Compare three steps with backward, clipping and Adam by PyTorch."""
    ours, plain = make_objective(), make_objective()
    step, _ = begin(
        ours,
        torch.optim.Adam(ours.layer.parameters(), lr=0.1, eps=1e-5, fused=True),
        max_grad_norm=0.5,
    )
    optimizer = torch.optim.Adam(plain.layer.parameters(), lr=0.1, eps=1e-5, fused=True)
    for batch in data(12).split(4):
        ((metrics, did_step),) = learn(step, ours, [batch])
        optimizer.zero_grad(set_to_none=True)
        loss = plain(batch)["loss_fit"]
        loss.backward()
        gradients = [parameter.grad for parameter in plain.layer.parameters()]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        # The kernel adds squares in double precision.
        is_double = uses_kernels and unavailable_reason() is None
        norm = (flat.double() if is_double else flat).norm().float()
        torch.testing.assert_close(norm, nn.utils.get_total_norm(gradients))
        nn.utils.clip_grads_with_norm_(plain.layer.parameters(), 0.5, norm)
        optimizer.step()
        assert did_step
        assert torch.equal(metrics["loss_fit"], loss)
        assert torch.equal(metrics["grad_norm"], norm)
        assert not any(value.requires_grad for value in metrics.values())
        assert torch.equal(parameters_of(ours), parameters_of(plain))


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("num_accumulation_steps", [1, 2])
@pytest.mark.parametrize(
    ("max_norm", "max_value"), [(1e-3, None), (None, 1e-3), (1e-3, 4e-4), (None, None)]
)
def test_what_reaches_the_optimizer_keeps_both_limits(
    precision, num_accumulation_steps, max_norm, max_value
):
    objective = make_objective()
    step, optimizer = begin(
        objective,
        max_grad_norm=max_norm,
        max_grad_value=max_value,
        precision=precision,
        num_accumulation_steps=num_accumulation_steps,
    )
    seen = watch_norms(optimizer)
    first, second = batches = data(8).split(4)
    parameters = list(objective.layer.parameters())
    gradients = [
        torch.cat(
            [g.flatten() for g in torch.autograd.grad(objective(batch)["loss_fit"], parameters)]
        )
        for batch in batches
    ]
    mean = gradients[0] if num_accumulation_steps == 1 else sum(gradients) / 2
    # In float16 the first steps overflow, and are left out.
    group = [first] if num_accumulation_steps == 1 else [first, second]
    outcomes = learn(step, objective, group * 6)
    norms = [float(metrics["grad_norm"]) for metrics, did_step in outcomes if did_step]
    assert len(norms) == len(seen) == 6 if precision != "float16" else 0 < len(seen) < 6
    assert norms[0] == pytest.approx(float(mean.norm()), rel=0.02)
    for norm, value in seen:
        assert norm <= (max_norm or inf) * (1 + 1e-6)
        assert value <= (max_value or inf) * (1 + 1e-6)
    if max_norm is max_value is None:
        assert [norm for norm, _ in seen] == pytest.approx(norms)


@pytest.mark.parametrize("uses_kernels", [False, True])
@pytest.mark.parametrize("may_wait", [False, True])
def test_gradients_are_scaled_to_the_limit(uses_kernels, may_wait):
    """The norm of 35 ones, 16 times -2 and a 1 is 10; the limit 5 halves them."""
    for limit, factor in ((5.0, 0.5), (20.0, 1.0), (None, 1.0)):
        gradients = [torch.ones(5, 7), torch.full((16,), -2.0), torch.ones(()), torch.ones(0)]
        copies = [gradient.clone() for gradient in gradients]
        with native_kernels(uses_kernels):
            norm = clip_norm_(copies, limit, may_wait=may_wait)
        assert norm.shape == ()
        assert float(norm) == 10.0
        for one, two in zip(copies, gradients, strict=True):
            torch.testing.assert_close(one, factor * two, rtol=3e-7, atol=0)


@pytest.mark.parametrize("uses_kernels", [False, True])
@pytest.mark.parametrize("bad", [nan, inf])
def test_a_norm_that_is_not_finite_is_returned(uses_kernels, bad):
    gradients = [torch.ones(3), torch.tensor([1.0, bad])]
    with native_kernels(uses_kernels):
        assert clip_norm_(gradients, None).item() == pytest.approx(bad, nan_ok=True)
        assert torch.equal(gradients[0], torch.ones(3))
        assert clip_norm_(gradients, 1.0).item() == pytest.approx(bad, nan_ok=True)


def test_three_minibatches_a_step_make_three_steps_of_eight():
    objective = make_objective()
    step, optimizer = begin(objective, num_accumulation_steps=3)
    seen = watch_norms(optimizer)
    outcomes = learn(step, objective, data(16).split(2))
    assert [did_step for _, did_step in outcomes] == [False, False, True] * 2 + [False, False]
    assert ["grad_norm" in metrics for metrics, _ in outcomes] == [s for _, s in outcomes]
    assert not step.is_empty
    metrics = step.finish()
    assert step.is_empty
    assert len(seen) == 3
    assert float(metrics["grad_norm"]) == pytest.approx(seen[-1][0])
    assert step.finish() is None
    assert len(seen) == 3


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("num", [2, 3, 4])
def test_accumulated_minibatches_are_as_good_as_one_large_one_also_when_some_are_missing(num):
    """With 3 for 8 minibatches of one frame each, the last group has only 2."""
    small, large = make_objective(), make_objective()
    batch = data(8)
    step, _ = begin(small, num_accumulation_steps=num)
    learn(step, small, batch.split(1))
    step.finish()
    step, _ = begin(large)
    learn(step, large, batch.split(num))
    assert torch.allclose(parameters_of(small), parameters_of(large), rtol=0, atol=1e-12)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_networks_compute_in_the_precision_and_weights_stay_as_they_are(precision):
    objective = make_objective()
    step, _ = begin(objective, precision=precision)
    dtypes = set()
    objective.layer.register_forward_hook(lambda _, args, output: dtypes.add(output.dtype))
    outcomes = learn(step, objective, [data(16)] * 60)
    assert dtypes == {getattr(torch, precision)}
    assert {p.dtype for p in objective.layer.parameters()} == {torch.float32}
    losses = [float(metrics["loss_fit"]) for metrics, _ in outcomes]
    assert losses[-1] < 0.05 < 1 < losses[0]
    with step.autocast(CPU):
        assert objective.layer(torch.ones(1, 3)).dtype == getattr(torch, precision)
    assert objective.layer(torch.ones(1, 3)).dtype == torch.float32


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("scenario", ["toy", "graph_isomorphism"])
def test_whole_experiments_run_in_each_precision(scenario, precision, data_dir):
    changes = {"update_step": {"precision": precision, "num_accumulation_steps": 2}}
    trainer = make_trainer(make_params(scenario, protocol="debate", **changes), data_dir)
    trainer.train()
    assert trainer.learner.num_steps > 0
    for parameter in trainer.agents.parameters():
        assert parameter.dtype == torch.float32
        assert torch.isfinite(parameter).all()


def test_an_overflow_leaves_a_step_out_and_lowers_the_scale():
    objective = make_objective()
    step, _ = begin(objective, precision="float16", max_grad_norm=1.0)
    before = parameters_of(objective)
    huge = data(4)
    huge["y"] = huge["y"] + 100
    outcomes = learn(step, objective, [huge] * 12)
    moved = [did_step for _, did_step in outcomes]
    num_skipped = moved.index(True)
    assert 0 < num_skipped < 12
    assert all("grad_norm" not in metrics for metrics, _ in outcomes[:num_skipped])
    assert step.state_dict()["scale"] == 2.0 ** (16 - num_skipped)
    assert not torch.equal(parameters_of(objective), before)


def test_the_scale_survives_a_checkpoint():
    huge = data(4)
    huge["y"] = huge["y"] + 100
    objective = make_objective()
    step, _ = begin(objective, precision="float16")
    learn(step, objective, [huge])
    state = json.loads(json.dumps(step.state_dict()))
    assert state["scale"] == 2.0**15
    again, _ = begin(objective, precision="float16")
    again.load_state_dict(state)
    assert again.state_dict() == state
    outcomes = [learn(each, objective, [huge])[0][1] for each in (step, again)]
    assert outcomes == [False, False]
    assert again.state_dict() == step.state_dict()
    assert json.dumps(begin(objective)[0].state_dict()) == "{}"


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("on_non_finite", ["raise", "stop"])
@pytest.mark.parametrize(("num", "where"), [(1, 0), (1, 1), (3, 0), (3, 2)])
@pytest.mark.parametrize("value", [nan, inf])
def test_a_loss_that_is_not_finite_ends_it_before_anything_has_moved(
    precision, on_non_finite, num, where, value
):
    objective = make_objective()
    step, _ = begin(
        objective, num_accumulation_steps=num, precision=precision, on_non_finite=on_non_finite
    )
    batches = [data(4, seed).clone() for seed in range(4)]
    batches[where]["y"] = batches[where]["y"] + value
    has_learnt = any(did_step for _, did_step in learn(step, objective, batches[:where]))
    before = parameters_of(objective)
    expected = {"raise": DivergenceError, "stop": NonFiniteLoss}[on_non_finite]
    message = f"loss_fit became {value} in iteration 8"
    with pytest.raises(expected, match=message) as error:
        learn(step, objective, [batches[where]], iteration=7)
    assert torch.equal(parameters_of(objective), before)
    if on_non_finite == "stop":
        assert error.value.name == "loss_fit"
        assert str(error.value) == message
    else:
        reason = ": training has diverged. Lower" if has_learnt else " before the first update, so"
        assert f"{message}{reason} the learning rate" in str(error.value)
    # Whoever goes on begins a new group.
    assert step.is_empty
    learn(step, objective, [data(4)] * num)
    assert torch.isfinite(parameters_of(objective)).all()


class Root(Regression):
    """A finite loss with a gradient that is no number."""

    def forward(self, tensordict):
        return TensorDict({"loss_root": (self.layer.bias * tensordict["x"][0, 0]).sqrt().sum()})


@pytest.mark.parametrize(("precision", "num_skipped"), [("float32", 0), ("float16", 16)])
def test_a_gradient_that_is_no_number_is_found_even_where_overflows_are_expected(
    precision, num_skipped
):
    """A scale of 2^16 can be halved 16 times before it is below 1."""
    objective = Root(make_instance(make_params()).agents)
    step, _ = begin(objective, torch.optim.SGD([objective.layer.bias], lr=0.1), precision=precision)
    outcomes = learn(step, objective, [data(1)] * num_skipped)
    assert not any(did_step for _, did_step in outcomes)
    with pytest.raises(DivergenceError, match=r"grad_norm became (nan|inf)"):
        learn(step, objective, [data(1)])
    assert objective.layer.bias.item() == 0.0


def test_where_nothing_learns_nothing_steps():
    objective = make_objective()
    objective.layer.requires_grad_(False)
    for precision in ("float32", "float16"):
        step, optimizer = begin(objective, precision=precision)
        seen = watch_norms(optimizer)
        ((metrics, did_step),) = learn(step, objective, [data(4)])
        assert not did_step
        assert set(metrics.keys()) == {"loss_fit", "error"}
        assert not seen


class TwoRanks(Ranks):
    """A process whose neighbour has three times its gradient, and perhaps a bad loss."""

    neighbours_loss = 0.0

    def average_gradients(self, parameters):
        for parameter in parameters:
            parameter.grad = parameter.grad * 2

    def mean_(self, tensor):
        return (tensor + self.neighbours_loss) / 2


def test_gradients_are_averaged_over_ranks_before_they_are_clipped(monkeypatch):
    alone, together = make_objective(), make_objective()
    step, _ = begin(alone)
    ((single, _),) = learn(step, alone, [data(4)])
    monkeypatch.setattr(
        "nip.trainers.tensor.learning.update_step.current_ranks", lambda: TwoRanks(size=2)
    )
    step, optimizer = begin(together, max_grad_norm=0.1)
    seen = watch_norms(optimizer)
    ((metrics, _),) = learn(step, together, [data(4)])
    assert float(metrics["grad_norm"]) == pytest.approx(2 * float(single["grad_norm"]))
    assert float(metrics["loss_fit"]) == pytest.approx(float(single["loss_fit"]) / 2)
    assert seen[0][0] == pytest.approx(0.1, rel=1e-4)


def test_a_bad_loss_of_one_rank_ends_all(monkeypatch):
    monkeypatch.setattr(
        "nip.trainers.tensor.learning.update_step.current_ranks", lambda: TwoRanks(size=2)
    )
    monkeypatch.setattr(TwoRanks, "neighbours_loss", nan)
    objective = make_objective()
    before = parameters_of(objective)
    step, _ = begin(objective, precision="float16")
    with pytest.raises(DivergenceError, match="loss_fit became nan"):
        learn(step, objective, [data(4)])
    assert torch.equal(parameters_of(objective), before)


@pytest.mark.parametrize("on_non_finite", ["raise", "stop"])
@pytest.mark.parametrize("bad", [nan, inf])
def test_a_deferred_check_ends_it_later_but_nothing_has_moved_since(bad, on_non_finite):
    objective, reference = make_objective(), make_objective()
    steps = []
    for each in (objective, reference):
        step = UpdateStep(max_grad_norm=1.0, on_non_finite=on_non_finite)
        step.defers_checks = each is objective
        step.begin(JointAdam(each.layer.parameters(), lr=0.1, fused=True), CPU)
        steps.append(step)
    step = steps[0]
    for seed in range(2):
        for each, own in zip((objective, reference), steps, strict=True):
            learn(own, each, [data(4, seed)], iteration=3)
    step.check_finite()
    for ours, expected in zip(parameters_of(objective), parameters_of(reference), strict=True):
        assert torch.equal(ours, expected)
    broken = data(4)
    broken["y"][1] = bad
    learn(step, objective, [broken, data(4, 5), data(4, 6)], iteration=3)
    for ours, expected in zip(parameters_of(objective), parameters_of(reference), strict=True):
        assert torch.equal(ours, expected)
    error = NonFiniteLoss if on_non_finite == "stop" else DivergenceError
    with pytest.raises(error, match=r"loss_fit became (nan|inf) in iteration 4"):
        step.check_finite()
    # It learns again afterwards.
    for each, own in zip((objective, reference), steps, strict=True):
        learn(own, each, [data(4, 7)])
    step.check_finite()
    for ours, expected in zip(parameters_of(objective), parameters_of(reference), strict=True):
        assert torch.equal(ours, expected)


def test_an_optimizer_that_cannot_wait_is_checked_at_once():
    objective = make_objective()
    step, _ = begin(objective)
    step.defers_checks = True
    broken = data(4)
    broken["y"][1] = nan
    with pytest.raises(DivergenceError):
        learn(step, objective, [broken])
