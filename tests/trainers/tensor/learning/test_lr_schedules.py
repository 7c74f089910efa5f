"""The rate of every step, beside that of PyTorch's own schedulers built by hand."""

import json
from math import cos, inf, isfinite, pi

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedules

from nip.errors import ParameterError
from nip.parameters import LrSchedulerParameters
from nip.trainers.tensor.learning.lr_schedules import (
    build_lr_scheduler,
    load_lr_scheduler_state_dict,
    lr_scheduler_state_dict,
)
from nip.trainers.tensor.learning.optimizers import (
    OPTIMIZERS,
    load_optimizer_state_dict,
    optimizer_state_dict,
)

RATES = (0.5, 0.02)
"""Base rates of two groups."""

TOTAL = 12
WARMUP = 3
OPTIONS = {
    "constant": {},
    "linear": {"end_factor": 0.25},
    "cosine": {"eta_min": 0.01},
    "exponential": {"gamma": 0.8},
    "step": {"step_size": 2, "gamma": 0.5},
    "multistep": {"milestones": (4, 7), "gamma": 0.1},
    "polynomial": {"power": 2.0},
    "one_cycle": {"pct_start": 0.4, "div_factor": 10.0, "final_div_factor": 100.0},
}
CASES = [
    (name, num) for name in OPTIONS for num in (0, WARMUP) if (name, num > 0) != ("one_cycle", 1)
]


def make_optimizer(kind="adam"):
    groups = [
        {"params": [torch.nn.Parameter(torch.ones(2))], "lr": rate, "name": str(rate)}
        for rate in RATES
    ]
    options = {"momentum": 0.9} if kind == "sgd" else {}
    return OPTIMIZERS[kind](groups, **options)


def make_ours(optimizer, name, num_warmup=0, total=TOTAL, **changes):
    params = LrSchedulerParameters(
        name=name, num_warmup=num_warmup, warmup_start_factor=0.1, **OPTIONS[name] | changes
    )
    return build_lr_scheduler(optimizer, params, total)


def make_by_hand(optimizer, name, num_warmup):
    num = TOTAL - num_warmup
    make = {
        "constant": lambda: torch_schedules.LambdaLR(optimizer, lambda _: 1.0),
        "linear": lambda: torch_schedules.LinearLR(optimizer, 1.0, 0.25, num),
        "cosine": lambda: torch_schedules.CosineAnnealingLR(optimizer, num, 0.01),
        "exponential": lambda: torch_schedules.ExponentialLR(optimizer, 0.8),
        "step": lambda: torch_schedules.StepLR(optimizer, 2, 0.5),
        "multistep": lambda: torch_schedules.MultiStepLR(
            optimizer, [4 - num_warmup, 7 - num_warmup], 0.1
        ),
        "polynomial": lambda: torch_schedules.PolynomialLR(optimizer, num, 2.0),
        "one_cycle": lambda: torch_schedules.OneCycleLR(
            optimizer,
            list(RATES),
            num,
            pct_start=0.4,
            div_factor=10.0,
            final_div_factor=100.0,
            cycle_momentum=not isinstance(optimizer, torch.optim.Adagrad | torch.optim.RMSprop),
        ),
    }
    main = make[name]()
    if num_warmup == 0:
        return main
    rise = torch_schedules.LinearLR(optimizer, 0.1, 1.0, num_warmup)
    return torch_schedules.SequentialLR(optimizer, [rise, main], [num_warmup])


def values_of_steps(optimizer, scheduler, num_intervals, steps_per_interval=1):
    """Step on, and return what each step of the optimizer used: rate, betas, momentum."""
    values = []
    for _ in range(num_intervals):
        for _ in range(steps_per_interval):
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.ones_like(parameter)
            optimizer.step()
            values.extend(
                [group.get(key) for key in ("lr", "betas", "momentum")]
                for group in optimizer.param_groups
            )
        scheduler.step()
    return values


def dumped(scheduler, optimizer):
    """Return the states of a schedule and of the groups that it moves, as a checkpoint has them."""
    groups = optimizer_state_dict(optimizer, names={})
    return json.dumps([lr_scheduler_state_dict(scheduler), groups])


@pytest.mark.grid
@pytest.mark.parametrize("steps_per_interval", [1, 3], ids=["step", "iteration"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize(("name", "num_warmup"), CASES)
def test_each_step_has_the_rate_of_pytorchs_own_also_across_a_resume(
    name, num_warmup, kind, steps_per_interval
):
    optimizer = make_optimizer(kind)
    expected = values_of_steps(
        optimizer, make_by_hand(optimizer, name, num_warmup), TOTAL, steps_per_interval
    )
    for stop in (0, 2, 3, 5, TOTAL):
        optimizer = make_optimizer(kind)
        scheduler = make_ours(optimizer, name, num_warmup)
        values = values_of_steps(optimizer, scheduler, stop, steps_per_interval)
        state = dumped(scheduler, optimizer)
        optimizer = make_optimizer(kind)
        scheduler = make_ours(optimizer, name, num_warmup)
        of_scheduler, of_groups = json.loads(state)
        load_lr_scheduler_state_dict(scheduler, of_scheduler)
        load_optimizer_state_dict(optimizer, {}, of_groups)
        assert dumped(scheduler, optimizer) == state
        values += values_of_steps(optimizer, scheduler, TOTAL - stop, steps_per_interval)
        assert values == expected


CLOSED_FORMS = {
    "constant": lambda k: 1.0,
    "linear": lambda k: 1 - 0.75 * k / TOTAL,
    "cosine": lambda k: 0.02 + 0.98 * (1 + cos(pi * k / TOTAL)) / 2,
    "exponential": lambda k: 0.8**k,
    "step": lambda k: 0.5 ** (k // 2),
    "multistep": lambda k: 0.1 ** ((k >= 4) + (k >= 7)),
    "polynomial": lambda k: (1 - k / TOTAL) ** 2,
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_course_is_what_its_formula_says_and_then_holds(name):
    optimizer = make_optimizer()
    values = values_of_steps(optimizer, make_ours(optimizer, name), TOTAL + 1)
    form = CLOSED_FORMS[name]
    assert [rate for rate, *_ in values[::2]] == pytest.approx(
        [RATES[0] * form(k) for k in range(TOTAL + 1)], abs=1e-12
    )


def test_the_warm_up_rises_linearly_and_counts_in_the_total():
    optimizer = make_optimizer()
    values = values_of_steps(optimizer, make_ours(optimizer, "linear", 3, end_factor=0.0), TOTAL)
    factors = [0.1, 0.4, 0.7, *(1 - k / 9 for k in range(9))]
    assert [rate for rate, *_ in values[::2]] == pytest.approx([RATES[0] * f for f in factors])


@pytest.mark.parametrize(("name", "num_warmup"), CASES)
def test_after_the_end_the_rate_neither_rises_nor_fails(name, num_warmup):
    optimizer = make_optimizer()
    scheduler = make_ours(optimizer, name, num_warmup)
    rates = [row[0] for row in values_of_steps(optimizer, scheduler, 3 * TOTAL)]
    assert all(isfinite(rate) and rate >= 0 for rate in rates)
    late = rates[2 * (TOTAL - 1) :: 2]
    assert late == sorted(late, reverse=True)
    if name in ("linear", "cosine", "polynomial", "one_cycle"):
        assert len(set(late[1:])) == 1


def test_a_length_of_its_own_wins_over_that_of_the_run():
    optimizer = make_optimizer()
    scheduler = make_ours(optimizer, "linear", total=100, end_factor=0.0)
    assert values_of_steps(optimizer, scheduler, 2)[2][0] == pytest.approx(0.5 * 99 / 100)
    optimizer = make_optimizer()
    params = LrSchedulerParameters(name="linear", total=4)
    scheduler = build_lr_scheduler(optimizer, params, 100)
    assert values_of_steps(optimizer, scheduler, 2)[2][0] == pytest.approx(0.5 * 3 / 4)


def test_one_cycle_starts_low_peaks_at_the_base_rate_and_gives_no_momentum_to_who_has_none():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    params = LrSchedulerParameters(name="one_cycle", pct_start=0.25, div_factor=10.0)
    scheduler = build_lr_scheduler(optimizer, params, 20)
    values = values_of_steps(optimizer, scheduler, 20)
    rates = [row[0] for row in values]
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == rates[4] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0.05 / 1e4)
    assert {row[2] for row in values} == {0}


def test_a_schedule_may_go_before_its_optimizer():
    """So it does when nobody learns in the first iteration; a warning would be an error here."""
    for name, num_warmup in CASES:
        optimizer = make_optimizer()
        scheduler = make_ours(optimizer, name, num_warmup)
        scheduler.step()
        state = lr_scheduler_state_dict(scheduler)
        optimizer = make_optimizer()
        scheduler = make_ours(optimizer, name, num_warmup)
        load_lr_scheduler_state_dict(scheduler, state)
        for _ in range(4):
            scheduler.step()


@pytest.mark.parametrize("total", [None, 3, 10])
def test_a_warm_up_longer_than_the_schedule_is_refused(total):
    params = LrSchedulerParameters(num_warmup=2, total=total)
    if total is None:
        with pytest.raises(ParameterError, match=r"num_warmup must be below .* 2 intervals.*got 2"):
            build_lr_scheduler(make_optimizer(), params, 2)
    else:
        build_lr_scheduler(make_optimizer(), params, 2)


def test_a_cycle_whose_rise_is_a_single_interval_is_refused():
    with pytest.raises(ParameterError, match=r"pct_start must be .* 10 intervals .*got 0.1"):
        make_ours(make_optimizer(), "one_cycle", total=10, pct_start=0.1)
    for total in (1, 2, 9, 11):
        make_ours(make_optimizer(), "one_cycle", total=total, pct_start=0.1)


def test_a_scheduler_of_ones_own_is_built_saved_and_loaded():
    def restarts(optimizer):
        return torch_schedules.CosineAnnealingWarmRestarts(optimizer, T_0=3, T_mult=2)

    def plateau(optimizer):
        return torch_schedules.ReduceLROnPlateau(optimizer, patience=0)

    def by_name(optimizer):
        return torch_schedules.LambdaLR(optimizer, lambda done: 1 / (1 + done))

    for factory in (restarts, by_name):
        optimizer = make_optimizer()
        scheduler = build_lr_scheduler(optimizer, LrSchedulerParameters(), 5, factory)
        expected = values_of_steps(optimizer, scheduler, 8)
        optimizer = make_optimizer()
        scheduler = factory(optimizer)
        values = values_of_steps(optimizer, scheduler, 5)
        state = json.loads(dumped(scheduler, optimizer))
        optimizer = make_optimizer()
        scheduler = build_lr_scheduler(optimizer, LrSchedulerParameters(), 5, factory)
        load_lr_scheduler_state_dict(scheduler, state[0])
        load_optimizer_state_dict(optimizer, {}, state[1])
        assert values + values_of_steps(optimizer, scheduler, 3) == expected

    optimizer = make_optimizer()
    scheduler = plateau(optimizer)
    scheduler.step(2.0)
    scheduler.step(3.0)
    state = json.loads(json.dumps(lr_scheduler_state_dict(scheduler)))
    again = plateau(make_optimizer())
    assert again.best == inf
    load_lr_scheduler_state_dict(again, state)
    assert again.best == 2.0
