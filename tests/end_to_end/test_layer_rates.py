"""Learning rates of every step of whole runs, compared with PyTorch's own schedulers."""

from unittest.mock import patch

import pytest
import torch
from torch.optim import lr_scheduler as schedules

from nip.run import run_experiment
from nip.trainers.callbacks import Callback
from nip.trainers.core.components import TrainerComponents
from tests.end_to_end.layer_runs import Steps, params_for
from tests.experiments import make_settings

RATES = (0.01, 0.004)
"""Base rates of the prover and of the verifier, which has one of its own."""

NUM_EPOCHS = 6
NUM_STEPS = 2 * NUM_EPOCHS
WARMUP = 3

BY_HAND = {
    "constant": lambda o, n: schedules.LambdaLR(o, lambda _: 1.0),
    "linear": lambda o, n: schedules.LinearLR(o, 1.0, 0.25, n),
    "cosine": lambda o, n: schedules.CosineAnnealingLR(o, n, 0.001),
    "exponential": lambda o, n: schedules.ExponentialLR(o, 0.8),
    "step": lambda o, n: schedules.StepLR(o, 2, 0.5),
    "multistep": lambda o, n: schedules.MultiStepLR(o, [1, 2], 0.1),
    "polynomial": lambda o, n: schedules.PolynomialLR(o, n, 2.0),
    "one_cycle": lambda o, n: schedules.OneCycleLR(
        o, list(RATES), n, pct_start=0.4, cycle_momentum=False
    ),
}
"""Takes an optimizer and the number of intervals after the warm-up."""

CASES = [
    # Name, options, intervals of warm-up, what is counted, optimizer.
    ("constant", {}, WARMUP, "step", "adamw"),
    ("linear", {"end_factor": 0.25}, 0, "iteration", "sgd"),
    ("cosine", {"eta_min": 0.001}, WARMUP, "step", "rmsprop"),
    ("exponential", {"gamma": 0.8}, 0, "step", "adagrad"),
    ("step", {"step_size": 2, "gamma": 0.5}, WARMUP, "iteration", "radam"),
    ("multistep", {"milestones": (4, 5), "gamma": 0.1}, WARMUP, "iteration", "nadam"),
    ("polynomial", {"power": 2.0}, WARMUP, "step", "adam"),
    ("one_cycle", {"pct_start": 0.4}, 0, "step", "sgd"),
]


def rates_by_hand(name, num_warmup, interval):
    """Return both rates at each step, as PyTorch's own scheduler gives them."""
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in RATES]
    optimizer = torch.optim.SGD(groups)
    num_intervals = NUM_STEPS if interval == "step" else NUM_EPOCHS
    scheduler = BY_HAND[name](optimizer, num_intervals - num_warmup)
    if num_warmup:
        rise = schedules.LinearLR(optimizer, 0.1, 1.0, num_warmup)
        scheduler = schedules.SequentialLR(optimizer, [rise, scheduler], [num_warmup])
    rates = []
    for _ in range(num_intervals):
        for _ in range(NUM_STEPS // num_intervals):
            optimizer.step()
            rates.append([group["lr"] for group in optimizer.param_groups])
        scheduler.step()
    return rates


class Interrupt(Callback):
    """Interrupts training when the third iteration begins."""

    def on_iteration_start(self, context):
        if context.iteration == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("name", "options", "num_warmup", "interval", "optimizer"), CASES)
def test_every_step_of_an_interrupted_training_has_the_rate_of_pytorchs_own(
    name, options, num_warmup, interval, optimizer, tmp_path
):
    schedule = {"name": name, "interval": interval, "num_warmup": num_warmup, **options}
    params = params_for(
        "solo_agent",
        num_iterations=NUM_EPOCHS,
        lr=RATES[0],
        agents={"verifier": {"optimizer": {"lr": RATES[1]}}},
        optimizer={"name": optimizer},
        lr_scheduler={**schedule, "warmup_start_factor": 0.1},
    )
    before, after = Steps(), Steps()
    settings = make_settings(tmp_path)

    def start(*callbacks):
        parts = TrainerComponents(callbacks=callbacks)
        run_experiment(params, run_id="run", settings=settings, components=parts)

    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        with pytest.raises(KeyboardInterrupt):
            start(before, Interrupt())
        start(after)
    assert before.iterations == [0, 0, 1, 1]
    assert after.iterations == [2, 2, 3, 3, 4, 4, 5, 5]
    rates = [[rates[0], rates[-1]] for rates in before.rates + after.rates]
    expected = rates_by_hand(name, num_warmup, interval)
    for step, (found, wanted) in enumerate(zip(rates, expected, strict=True)):
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-15), step
    assert len({str(pair) for pair in expected}) > 2 or name == "constant"
