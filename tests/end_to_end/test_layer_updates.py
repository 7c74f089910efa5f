"""Updates with exchanged components: loss terms, optimizers, clipping, accumulation, NaN."""

from itertools import count

import pytest
import torch
from tensordict import TensorDict

from nip.errors import DivergenceError
from nip.rl_objectives import Objective
from nip.trainers.callbacks import Callback
from nip.trainers.core.components import TrainerComponents
from nip.trainers.tensor.learning.update_step import UpdateStep
from tests.end_to_end.layer_runs import TRAINERS, Steps, params_for, train, weights
from tests.experiments import make_trainer, same_tensors

ROUNDING = 1e-5
"""More than float32 loses in the sums of a step, whose values are near 1; effects are larger."""

WEIGHT = 0.01
RATE = 0.125
CLIP = 1e-3

each_trainer = pytest.mark.parametrize("trainer", TRAINERS)


def squares(batch, context):
    """Return the sum of the squares of all weights, as a user would write it."""
    return sum(parameter.square().sum() for parameter in context.model.parameters())


class SumOfSquares(Callback):
    """Works out the sum of the squares before each step, and compares what is logged after it."""

    def __init__(self, name):
        self.name, self.expected, self.errors = name, [], []

    def on_step_start(self, context):
        parameters = torch.cat([p.detach().flatten() for p in context.model.parameters()])
        self.expected.append(WEIGHT * float((parameters.double() ** 2).sum()))

    def on_step_end(self, context):
        figures = dict(context.figures.items())
        added = float(figures[self.name])
        losses = {name: float(value) for name, value in figures.items() if "loss_" in name[:5]}
        self.errors.append(abs(added - self.expected[-1]))
        self.errors.append(abs(float(context.loss) - sum(losses.values())))


# ---- 1: components


@each_trainer
@pytest.mark.parametrize("by_parameter", [False, True])
def test_an_added_l2_term_is_its_weight_times_the_sum_of_squares(trainer, by_parameter):
    look = SumOfSquares("loss_l2" if by_parameter else "loss_squares")
    if by_parameter:
        params = params_for(trainer, loss_terms=[{"name": "l2", "weight": WEIGHT}])
        trained = train(params, look)
    else:
        trained = train(params_for(trainer), look, loss_terms=[(WEIGHT, squares)])
    assert len(look.expected) == 4
    assert max(look.errors) <= ROUNDING
    assert look.expected[0] > 0.02
    # Two minibatches are an iteration; alone, agents have six rows to learn from.
    shares = (4 / 6, 2 / 6) if trainer == "solo_agent" else (1 / 2, 1 / 2)
    for iteration, logged in trained.history.values(look.name):
        of_steps = look.expected[2 * iteration - 2 : 2 * iteration]
        mean = sum(share * value for share, value in zip(shares, of_steps, strict=True))
        assert logged == pytest.approx(mean, abs=ROUNDING)


@each_trainer
def test_one_step_of_an_exchanged_optimizer_goes_where_the_term_pulls(trainer):
    """With plain gradient descent the term moves each weight by -2 · lr · weight · p."""
    whole_batch = {
        "num_iterations": 1,
        "rl": {"minibatch_size": 8},
        "solo_agent": {"batch_size": 100},
        "max_grad_norm": None,
        "lr": RATE,
    }
    params = params_for(trainer, **whole_batch)
    start = weights(make_trainer(params))
    plain = train(params, optimizer=torch.optim.SGD)
    pulled = train(params, optimizer=torch.optim.SGD, loss_terms=[(WEIGHT, squares)])
    assert type(plain.context.optimizer) is torch.optim.SGD
    assert plain.context.step == pulled.context.step == 1
    names = {name for name, p in plain.agents.named_parameters()}
    grouped = {id(p) for group in pulled.context.optimizer.param_groups for p in group["params"]}
    learning = {name for name, p in pulled.agents.named_parameters() if id(p) in grouped}
    assert learning and learning <= names
    for name in learning:
        moved = weights(pulled)[name] - weights(plain)[name]
        torch.testing.assert_close(moved, -2 * RATE * WEIGHT * start[name], atol=ROUNDING, rtol=0)


@each_trainer
def test_a_term_of_weight_0_is_bit_identical_to_none(trainer):
    plain = train(params_for(trainer))
    zero = train(params_for(trainer), loss_terms=[(0.0, squares)])
    named = train(params_for(trainer, loss_terms=[{"name": "l2", "weight": 0.0}]))
    for other in (zero, named):
        assert same_tensors(weights(plain), weights(other))
        assert plain.history.to_dict() == other.history.to_dict()
    pulled = train(params_for(trainer), loss_terms=[(WEIGHT, squares)])
    assert not same_tensors(weights(plain), weights(pulled))


# ---- 2: clipping


@each_trainer
def test_a_limit_on_the_norm_by_parameter_and_by_component_is_the_same(trainer):
    free, by_parameter, by_component = Steps(), Steps(), Steps()
    train(params_for(trainer, max_grad_norm=None), free)
    limited = train(params_for(trainer, max_grad_norm=CLIP), by_parameter)
    exchanged = train(
        params_for(trainer, max_grad_norm=None),
        by_component,
        update_step=UpdateStep(max_grad_norm=CLIP),
    )
    assert min(free.norms) > 10 * CLIP
    assert max(by_parameter.norms) <= CLIP
    assert min(by_parameter.norms) >= 0.99 * CLIP
    assert by_parameter.norms == by_component.norms
    assert same_tensors(weights(limited), weights(exchanged))
    assert limited.history.to_dict() == exchanged.history.to_dict()
    # What is logged is the norm before it was limited.
    assert min(value for _, value in limited.history.values("grad_norm")) > 10 * CLIP


# ---- 6: accumulation


class Nothing(Objective):
    """A loss of 0, so that only what is added to it moves anything."""

    def forward(self, tensordict):
        return TensorDict({"loss_objective": torch.zeros(())})


class MeanOverRows(Objective):
    """A loss whose mean over two minibatches is that of both together."""

    def forward(self, tensordict):
        terms = [
            (frames.log_prob() * frames.takes_turn).sum() / len(tensordict)
            for frames in self.learning_frames(tensordict, with_critic=False)
        ]
        return TensorDict({"loss_objective": -torch.stack(terms).sum()})


def test_accumulating_3_of_8_minibatches_gives_3_updates_of_their_means():
    """The gradient of the k-th minibatch is k, so that the means are 2, 5 and 7.5."""
    numbers = count(1)

    def ramp(batch, context):
        return next(numbers) * sum(p.sum() for p in context.model.parameters())

    params = params_for(
        "reinforce",
        num_iterations=1,
        lr=RATE,
        max_grad_norm=None,
        rl={"num_epochs": 4},
        update_step={"num_accumulation_steps": 3},
    )
    start, steps = weights(make_trainer(params)), Steps()
    trained = train(
        params,
        steps,
        loss=lambda trainer: (Nothing(trainer.agents), None),
        loss_terms=[(1.0, ramp)],
        optimizer=torch.optim.SGD,
    )
    assert next(numbers) == 9
    assert trained.context.step == len(steps.norms) == 3
    num_weights = sum(p.numel() for p in trained.agents.parameters())
    expected = [mean * num_weights**0.5 for mean in (2, 5, 7.5)]
    assert steps.norms == pytest.approx(expected, rel=ROUNDING)
    for name, value in weights(trained).items():
        if value.is_floating_point():
            torch.testing.assert_close(value, start[name] - RATE * 14.5, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("trainer", ["reinforce", "solo_agent"])
def test_2_minibatches_of_4_equal_1_of_8_for_a_mean_loss(trainer):
    parts = {"optimizer": torch.optim.SGD}
    if trainer == "reinforce":
        parts["loss"] = lambda built: (MeanOverRows(built.agents), None)
    # Alone, agents have four rows to learn from when half are held out: there it is 2 of 2, and 4.
    shared = {"max_grad_norm": None, "lr": 0.1, "test_size": 0.5}
    half = {"solo_agent": {"batch_size": 2}, "update_step": {"num_accumulation_steps": 2}}
    whole = {"rl": {"minibatch_size": 8}, "solo_agent": {"batch_size": 4}}
    first, second = Steps(), Steps()
    in_two = params_for(trainer, **shared, **half)
    halves = train(in_two, first, **parts)
    wholes = train(params_for(trainer, **shared, **whole), second, **parts)
    assert halves.context.step == wholes.context.step == 2
    assert first.norms == pytest.approx(second.norms, abs=ROUNDING)
    for name, value in weights(wholes).items():
        torch.testing.assert_close(weights(halves)[name], value, atol=ROUNDING, rtol=0)
    assert not same_tensors(weights(make_trainer(in_two)), weights(halves))


# ---- 17: what is no number


class Poison:
    """Makes the loss NaN at one step."""

    __name__ = "poison"

    def __init__(self, at):
        self.at, self.num_calls = at, 0

    def __call__(self, batch, context):
        self.num_calls += 1
        return torch.tensor(float("nan") if self.num_calls == self.at else 0.0)


class LastGood(Callback):
    """Keeps the weights after the last step."""

    def __init__(self):
        self.weights = None

    def on_step_end(self, context):
        self.weights = weights(context.trainer)


@each_trainer
@pytest.mark.parametrize("num_accumulation_steps", [1, 2])
def test_what_is_no_number_raises_with_the_name_of_the_loss(trainer, num_accumulation_steps):
    params = params_for(
        trainer,
        num_iterations=3,
        update_step={"num_accumulation_steps": num_accumulation_steps},
    )
    built, good = make_trainer(params), LastGood()
    # Of the two minibatches of each iteration, it is the last of the second.
    built.use(TrainerComponents(callbacks=[good], loss_terms=[(1.0, Poison(at=4))]))
    with pytest.raises(DivergenceError, match=r"loss_poison became nan in iteration 2"):
        built.train()
    assert same_tensors(good.weights, weights(built))
    assert built.history.last_iteration == 1


@each_trainer
def test_what_is_no_number_stops_with_the_name_of_the_loss(trainer):
    params = params_for(trainer, num_iterations=3, update_step={"on_non_finite": "stop"})
    good = LastGood()
    stopped = train(params, good, loss_terms=[(1.0, Poison(at=2))])
    assert stopped.context.stop_reason == "loss_poison became nan in iteration 1"
    assert same_tensors(good.weights, weights(stopped))
    # It is tested nevertheless.
    assert any(name.startswith("test_") for name in stopped.history.names())
    assert not any("poison" in name for name in stopped.history.names())
