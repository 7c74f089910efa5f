"""Runs an experiment, in a process that may kill itself at a given moment."""

import os
import shutil
import signal
import warnings

import torch

import nip.run
import nip.run_store.checkpoints.checkpoint_files as checkpoint_files
import nip.run_store.report.learning_curve as learning_curve
from nip.parameters import HyperParameters
from nip.run_store import Run
from nip.trainers.callbacks import Callback
from nip.trainers.core.callback_registry import register_callback


@register_callback("remembering")
class Remembering(Callback):
    """A user's callback whose state, a number and a tensor, finds its way into the weights."""

    def __init__(self):
        self.num_steps, self.drift = 0, torch.zeros(3)

    def on_step_end(self, context):
        self.num_steps += 1
        context.state["losses"] = [*context.state.get("losses", [])[-2:], float(context.loss)]
        first = next(p for p in context.model.parameters() if p.requires_grad and p.numel() > 2)
        with torch.no_grad():
            self.drift.mul_(0.9).add_(first.flatten()[:3], alpha=1e-3 * self.num_steps)
            first.view(-1)[:3] -= self.drift

    def state_dict(self):
        return {"num_steps": self.num_steps, "drift": self.drift}

    def load_state_dict(self, state):
        self.num_steps, self.drift = state["num_steps"], state["drift"].clone()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_call(owner, name, number, after=False):
    """Kill the process at the given call of a method, before or after its work is done."""
    original, count = getattr(owner, name), 0

    def counted(*args, **kwargs):
        nonlocal count
        count += 1
        if count == number and not after:
            die()
        result = original(*args, **kwargs)
        if count == number:
            die()
        return result

    setattr(owner, name, counted)


def die_in_the_middle_of_saving(iteration):
    """Kill the process when one file of the checkpoint of an iteration is written by half."""
    original = checkpoint_files.save_file

    def half(tensors, path):
        original(tensors, path)
        if f"iteration_{iteration:06d}" in str(path) and path.stem == "generators":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            die()

    checkpoint_files.save_file = half


def die_while_pruning():
    """Kill the process when a checkpoint that need not be kept is deleted by half."""
    original = shutil.rmtree

    def half(path, *args, **kwargs):
        if str(path).endswith(".removing"):
            next(iter(path.iterdir())).unlink()
            die()
        original(path, *args, **kwargs)

    shutil.rmtree = half


def expect_first_iteration(iteration):
    """Fail if the first iteration that this start logs is another one."""
    original = Run.log

    def checked(self, logged, metrics):
        Run.log = original
        assert logged == iteration, f"began with iteration {logged} instead of {iteration}"
        return original(self, logged, metrics)

    Run.log = checked


def run(start):
    """Run one experiment."""
    warnings.simplefilter("ignore")
    # Pictures are drawn in other tests.
    learning_curve.draw_learning_curve = lambda *_: None
    exec(start["preparation"], globals())
    hyper_params = HyperParameters.from_dict(start["parameters"])
    nip.run.run_experiment(hyper_params, run_id=start["run_id"], **start["settings"])
