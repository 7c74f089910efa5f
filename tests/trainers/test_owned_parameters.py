"""Parameters that an objective or a loss term owns are trained, scheduled, clipped and saved."""

import pytest
import torch
from tensordict import TensorDict
from torch import nn
from torch.nn import functional as F

from nip.factory import build_scenario_instance
from nip.parameters import loss_term_specs
from nip.parameters.update_schedule import ContiguousPeriodicUpdateSchedule
from nip.rl_objectives import Objective
from nip.run import run_experiment
from nip.run_store import Run, read_history
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder
from nip.trainers.core.callback import Callback
from nip.trainers.core.components import TrainerComponents
from nip.trainers.registry import build_trainer
from nip.trainers.tensor.learning.loss_terms import loss_term_registry, register_loss_term
from nip.trainers.tensor.weights.checkpointing import checkpoint_state
from tests.experiments import (
    make_params,
    make_settings,
    make_trainer,
    same_tensors,
    tiny_graph_agent,
)
from tests.trainers.probing_trainer import ProbingTrainer, register

EVERY_SECOND = ContiguousPeriodicUpdateSchedule(period=2, start=0, stop=1)


@pytest.fixture(autouse=True)
def probing():
    """Register the trainer, and forget it afterwards."""
    forget = register("probing", ProbingTrainer)
    yield
    forget()


def probing_params(**changes):
    rl = {"num_iterations": 4, "lr": 0.1, **changes.pop("rl", {})}
    return make_params(trainer="probing", rl=rl, **changes)


def own_weights(trainer):
    owned = trainer.loss_module.state_dict()
    return {n: p.clone() for n, p in owned.items() if not n.startswith("agents.")}


def test_they_make_a_group_with_the_base_rate_and_the_schedule_moves_it():
    trainer = make_trainer(probing_params(lr_scheduler={"name": "linear"}))
    trainer.setup()
    group = trainer.optimizer.param_groups[-1]
    own = [p for n, p in trainer.loss_module.named_parameters() if not n.startswith("agents.")]
    assert (group["name"], group["lr"], len(own)) == ("objective", 0.1, 5)
    assert set(group["params"]) == set(own)
    trainer.train_iteration()
    assert group["lr"] == pytest.approx(0.075)
    trainer.close()


def test_the_first_step_of_gradient_descent_is_the_rate_times_the_clipped_gradient():
    optimizer = {"name": "sgd"}
    rl = {"minibatch_size": 8, "num_epochs": 1, "rollouts_per_iteration": 8, "max_grad_norm": 0.01}
    trainer = make_trainer(probing_params(optimizer=optimizer, rl=rl))
    trainer.setup()
    minibatch = next(iter(trainer.minibatches(trainer.collect_batch())))
    trainer.agents.train()
    losses = trainer.loss_module(minibatch)
    parameters = list(trainer.loss_module.parameters())
    total = losses["loss_objective"] + losses["loss_probe"]
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    norm = torch.stack([g.square().sum() for g in gradients if g is not None]).sum().sqrt()
    expected = [
        p.detach().clone() if g is None else p.detach() - 0.1 * g * 0.01 / (norm + 1e-6)
        for p, g in zip(parameters, gradients, strict=True)
    ]
    metrics = trainer.train_step(minibatch)
    assert metrics["grad_norm"] == pytest.approx(float(norm), rel=1e-5)
    for parameter, value in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.detach(), value, rtol=1e-5, atol=1e-7)
    trainer.close()


class PowerCut(Callback):
    def on_iteration_end(self, context):
        if context.iteration == 2:
            raise KeyboardInterrupt


class SaveState(Callback):
    """Keeps the learner's state dict at the end."""

    def on_train_end(self, context):
        self.state = context.trainer._whole_state_dict()["learner"]


def interrupt(params, settings, run_id, components=None):
    with Run.open(settings, run_id, params.to_dict()) as run:
        run.start()
        instance = build_scenario_instance(params, settings)
        trainer = build_trainer(params, instance, settings, run, components)
        trainer.add_callback(PowerCut())
        with pytest.raises(KeyboardInterrupt):
            trainer.train()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lr_scheduler": {"name": "cosine"}, "update_step": {"num_accumulation_steps": 3}},
        {"agents": {"_default": {"update_schedule": EVERY_SECOND}}},
        {"optimizer": {"name": "rmsprop"}},
    ],
    ids=["plain", "schedule", "paused", "rmsprop"],
)
def test_killed_and_resumed_equals_uninterrupted(tmp_path, changes):
    params, settings = probing_params(**changes), make_settings(tmp_path)
    run_experiment(params, run_id="straight", settings=settings)
    interrupt(params, settings, "broken")
    run_experiment(params, run_id="broken", settings=settings)
    states = [
        checkpoint_state(CheckpointFolder(tmp_path / name / "checkpoints").load_latest())
        for name in ("straight", "broken")
    ]
    first, second = (state["learner"] for state in states)
    assert {"scale", "probe.0.weight", "probe.1.running_mean"} <= first["objective"].keys()
    assert any(name.startswith("objective.scale:") for name in first["optimizer"]["state"])
    assert same_tensors(first["objective"], second["objective"])
    assert same_tensors(first["optimizer"]["state"], second["optimizer"]["state"])
    histories = [read_history(tmp_path / name).to_dict() for name in ("straight", "broken")]
    assert histories[0] == histories[1]


class Head(nn.Module):
    """A loss term with parameters: how well a line predicts the values' targets."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(1, 1)

    def forward(self, batch, context):
        targets = batch["agents", "value_target"].float().mean(-1, keepdim=True)
        return F.mse_loss(self.line(torch.ones_like(targets)), targets)


def test_a_loss_term_with_parameters_is_trained_and_resumed(tmp_path):
    params = make_params(rl={"num_iterations": 4, "lr": 0.1})
    settings = make_settings(tmp_path)
    finals = []
    for run_id in ("straight", "broken"):
        torch.manual_seed(7)
        head = Head()
        before = head.line.bias.item()
        components = TrainerComponents(loss_terms=[(0.5, head)])
        if run_id == "broken":
            interrupt(params, settings, run_id, components)
            torch.manual_seed(7)
            components = TrainerComponents(loss_terms=[(0.5, Head())])
            head = components.loss_terms[0][1]
        run_experiment(params, run_id=run_id, settings=settings, components=components)
        assert head.line.bias.item() != before
        finals.append({name: value.clone() for name, value in head.state_dict().items()})
    assert same_tensors(*finals)


@pytest.fixture
def drawn_terms():
    """Register a loss term that draws its weights, forgotten afterwards; return its instances."""
    instances = []

    @register_loss_term("drawn")
    class Drawn:
        def __init__(self):
            instances.append(self)
            self.line = nn.Linear(1, 1)

        def __call__(self, batch, context):
            return self.line(torch.ones(1, 1)).sum() ** 2

    yield instances
    loss_term_specs.unregister("drawn")
    loss_term_registry.unregister("drawn")


def test_a_registered_term_that_draws_its_weights_is_built_once_and_resumed(
    tmp_path, data_dir, drawn_terms
):
    """The noise of the agents comes from the generator from which the term has drawn."""
    params = make_params(
        "graph_isomorphism",
        protocol="nip",
        loss_terms=["drawn"],
        agents={"_default": tiny_graph_agent(noise_sigma=0.5)},
        rl={"num_iterations": 4},
    )
    settings = make_settings(tmp_path, data_dir=data_dir)
    run_experiment(params, run_id="straight", settings=settings)
    assert len(drawn_terms) == 1
    interrupt(params, settings, "broken")
    run_experiment(params, run_id="broken", settings=settings)
    assert len(drawn_terms) == 3
    histories = [read_history(tmp_path / name).to_dict() for name in ("straight", "broken")]
    assert histories[0] == histories[1]


class Drawing(Objective):
    """A loss that draws its weights."""

    def __init__(self, agents):
        super().__init__(agents)
        self.scale = nn.Parameter(torch.rand(()))

    def metric_names(self):
        return ["loss_scale"]

    def forward(self, tensordict):
        return TensorDict({"loss_scale": self.scale.square()})


def test_the_names_of_metrics_draw_no_random_numbers():
    trainer = make_trainer(make_params())
    trainer.use(TrainerComponents(loss=lambda trainer: (Drawing(trainer.agents), None)))
    before = torch.get_rng_state()
    assert "loss_scale" in trainer.metric_names()
    assert torch.equal(torch.get_rng_state(), before)


def test_parameters_that_only_the_optimizer_has_are_saved_with_their_moments(tmp_path):
    """A user may add a group of their own, for a term that is a closure."""
    params = make_params(rl={"num_iterations": 4, "lr": 0.1})
    settings = make_settings(tmp_path)

    def components():
        own = nn.Parameter(torch.tensor(3.0))
        return own, TrainerComponents(
            optimizer=lambda groups: torch.optim.Adam([*groups, {"params": [own], "lr": 0.2}]),
            loss_terms=[(1.0, lambda batch, context: own.square())],
        )

    straight, straight_components = components()
    run_experiment(params, run_id="straight", settings=settings, components=straight_components)
    interrupt(params, settings, "broken", components()[1])
    resumed, resumed_components = components()
    run_experiment(params, run_id="broken", settings=settings, components=resumed_components)
    assert straight.item() == resumed.item() != 3.0


def test_the_l2_term_counts_them():
    params = probing_params(loss_terms=[{"name": "l2", "weight": 0.5}])
    trainer = make_trainer(params)
    trainer.setup()
    parameters = list(trainer.loss_module.parameters())
    expected = 0.5 * sum(float(p.detach().square().sum()) for p in parameters)
    minibatch = next(iter(trainer.minibatches(trainer.collect_batch())))
    assert trainer.train_step(minibatch)["loss_l2"].item() == pytest.approx(expected)
    trainer.close()


def test_a_run_of_a_version_that_did_not_train_them_continues_without(tmp_path):
    trainer = make_trainer(probing_params())
    trainer.setup()
    state = trainer.learner.state_dict()
    state["optimizer"]["param_groups"].pop()
    state["optimizer"]["state"] = {
        n: v for n, v in state["optimizer"]["state"].items() if not n.startswith("objective.")
    }
    with pytest.warns(UserWarning, match="did not train the parameters of objective"):
        trainer.learner.load_state_dict(state)
    before = own_weights(trainer)
    trainer.train_iteration()
    frozen = {
        n: v for n, v in own_weights(trainer).items() if "running" not in n and "num" not in n
    }
    assert all(torch.equal(before[n], v) for n, v in frozen.items())
    trainer.close()


def test_frames_give_their_rows_so_that_root_keys_are_aligned():
    trainer = make_trainer(probing_params())
    trainer.setup()
    minibatch = next(iter(trainer.minibatches(trainer.collect_batch())))
    minibatch["number"] = torch.arange(len(minibatch))
    minibatch["agents", "number"] = torch.stack([torch.arange(len(minibatch))] * 2, dim=1)
    seen = 0
    for frames in trainer.loss_module.learning_frames(minibatch, with_critic=True):
        known = minibatch["agents", "value_known"][:, frames.index].nonzero().squeeze(-1)
        assert torch.equal(frames.rows, known)
        assert torch.equal(minibatch["number"][frames.rows], frames.take("number"))
        seen += len(frames.rows)
    assert seen > 0
    trainer.close()


def test_parameters_that_nobody_trains_are_refused():
    class Hidden(Objective):
        def __init__(self, agents):
            super().__init__(agents)
            self.heads = [nn.Linear(1, 1)]

        def forward(self, tensordict):
            return TensorDict({"loss_head": self.heads[0](torch.ones(1, 1)).sum()})

    components = TrainerComponents(loss=lambda trainer: (Hidden(trainer.agents), None))
    trainer = make_trainer(make_params(trainer="reinforce"))
    trainer.use(components)
    with pytest.raises(ValueError, match=r"Hidden depends on 2 parameters.*\(1, 1\).*ModuleList"):
        trainer.train()


def test_a_method_is_a_loss_term_with_the_parameters_of_its_object(tmp_path):
    class Holder:
        def __init__(self):
            self.head = Head()

        def term(self, batch, context):
            return self.head(batch, context)

    holder = Holder()
    before = holder.head.line.bias.item()
    components = TrainerComponents(loss_terms=[(0.5, holder.term)])
    trainer = make_trainer(make_params(rl={"lr": 0.1}))
    trainer.use(components)
    trainer.train()
    assert set(trainer.learner.owners) == {"objective", "loss_term_1.term.head"}
    assert holder.head.line.bias.item() != before
