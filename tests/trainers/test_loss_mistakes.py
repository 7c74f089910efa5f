"""A loss from which nothing can be learnt is an error that says why."""

import pytest
import torch
from tensordict import TensorDict
from torch import nn

from nip.errors import DivergenceError, ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import RandomAgentParameters
from nip.rl_objectives import Objective
from nip.trainers.core.components import TrainerComponents
from nip.trainers.registry import build_trainer
from tests.experiments import make_params, make_trainer
from tests.trainers.probing_trainer import register, trainer_with


def score(objective, tensordict):
    """Return the mean log-probability of all agents' actions, which can be learnt."""
    total = torch.zeros(())
    for frames in objective.learning_frames(tensordict, with_critic=False):
        total = total - frames.policy_mean(frames.log_prob())
    return total


def values_of_batch(objective, tensordict):
    return tensordict["agents", "sample_log_prob"].mean()


def train_with(forward, *, estimator="made", **changes):
    forget = register("mistaken", trainer_with(forward, estimator=estimator))
    try:
        trainer = make_trainer(make_params(trainer="mistaken", **changes))
        trainer.train()
    finally:
        forget()
    return trainer


MISTAKES = {
    "a dict": (
        lambda o, t: {"loss_objective": score(o, t)},
        r"GivenObjective\.forward must return a TensorDict.*got an object of class dict.*Return Te",
    ),
    "a tensor": (score, r"must return a TensorDict of scalars, got a tensor of shape \(\)"),
    "nothing": (lambda o, t: None, r"must return a TensorDict of scalars, got NoneType None"),
    "a vector": (
        lambda o, t: TensorDict({"loss_objective": score(o, t).expand(3)}),
        r"must return scalars, got a tensor of shape \(3,\) as 'loss_objective'. Average it",
    ),
    "a vector of one": (
        lambda o, t: TensorDict({"loss_objective": score(o, t).view(1)}),
        r"got a tensor of shape \(1,\) as 'loss_objective'",
    ),
    "a vector as metric": (
        lambda o, t: TensorDict({"loss_objective": score(o, t), "metric": torch.ones(2)}),
        r"got a tensor of shape \(2,\) as 'metric'",
    ),
    "nested": (
        lambda o, t: TensorDict({"loss_objective": {"prover": score(o, t)}}),
        r"must return scalars, got an object of class TensorDict as 'loss_objective'",
    ),
    "no loss": (
        lambda o, t: TensorDict({"objective": score(o, t)}),
        r"at least one loss, whose name begins with 'loss_', got objective\. Rename",
    ),
    "nothing at all": (lambda o, t: TensorDict({}), r"at least one loss.*got nothing"),
    "detached": (
        lambda o, t: TensorDict({"loss_objective": score(o, t).detach()}),
        r"loss of GivenObjective: loss_objective gives no gradient, because it is detached",
    ),
    "collected": (
        lambda o, t: TensorDict({"loss_objective": values_of_batch(o, t)}),
        r"Nothing can be learnt.*detached.*What was collected, such as sample_log_prob",
    ),
    "without gradients": (
        lambda o, t: TensorDict({"loss_objective": torch.no_grad()(score)(o, t)}),
        r"Nothing can be learnt.*without detach\(\), item\(\) or no_grad\(\)",
    ),
    "of something else": (
        lambda o, t: TensorDict({"loss_objective": torch.ones((), requires_grad=True) * 2}),
        r"its gradient reaches no parameter that is trained",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_loss_that_cannot_be_learnt_from_is_refused(name):
    forward, message = MISTAKES[name]
    with pytest.raises(ParameterError, match=message):
        train_with(forward)


def take_advantage(objective, tensordict):
    total = torch.zeros(())
    for frames in objective.learning_frames(tensordict, with_critic=False):
        total = total - frames.policy_mean(frames.log_prob() * frames.take("advantage"))
    return TensorDict({"loss_objective": total})


def read_advantage(objective, tensordict):
    weight = tensordict["agents", "advantage"].mean()
    return TensorDict({"loss_objective": weight * score(objective, tensordict)})


@pytest.mark.parametrize("forward", [take_advantage, read_advantage])
def test_a_forgotten_estimator_is_named(forward):
    message = r"no \('agents', 'advantage'\), which an advantage estimator writes.*second value"
    with pytest.raises(ParameterError, match=message):
        train_with(forward, estimator="none")


def test_an_estimator_that_was_not_made_has_no_discount():
    message = r"GivenObjective has no value_estimator yet.*gamma=rl\.gamma, lmbda=rl\.lmbda"
    with pytest.raises(ParameterError, match=message):
        train_with(take_advantage, estimator="not made")


class Score(Objective):
    def forward(self, tensordict):
        return TensorDict({"loss_objective": score(self, tensordict)})


PAIRS = {
    "a module": (
        lambda t: Score(t.agents),
        r"must return a pair.*got a module of class Score\. Return",
    ),
    "one alone": (
        lambda t: (Score(t.agents),),
        r"must return a pair.*got an object of class tuple",
    ),
    "another module": (
        lambda t: (nn.Linear(1, 1), None),
        r"got a module of class Linear as the loss",
    ),
    "exchanged": (
        lambda t: (lambda b: b, Score(t.agents)),
        r"got an object of class function as the loss module",
    ),
    "no estimator": (lambda t: (Score(t.agents), 0.9), r"got float 0\.9 as the estimator"),
    "a number": (lambda t: (Score(t.agents), lambda batch: 1), r"must return the batch.*got int 1"),
    "a part": (
        lambda t: (Score(t.agents), lambda batch: batch[:1]),
        r"of batch size \(4, \d+\), got an object of class TensorDict",
    ),
    "a missing key": (
        lambda t: (Score(t.agents), lambda batch: batch["agents", "worth"]),
        r"The advantage estimator, .*, reads a key .*worth",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_a_builder_of_losses_returns_is_checked(name):
    make, message = PAIRS[name]
    trainer = make_trainer(make_params(trainer="reinforce"))
    trainer.use(TrainerComponents(loss=make))
    with pytest.raises(ParameterError, match=message):
        trainer.train()


def test_an_estimator_may_return_another_batch():
    seen = []

    def estimate(batch):
        changed = batch.clone()
        changed["agents", "advantage"] = torch.full(changed.batch_size, 2.0)[..., None].expand(
            *changed.batch_size, 2
        )
        return changed

    class Look(Score):
        def forward(self, tensordict):
            seen.append(tensordict["agents", "advantage"].unique().tolist())
            return super().forward(tensordict)

    trainer = make_trainer(make_params(trainer="reinforce"))
    trainer.use(TrainerComponents(loss=lambda t: (Look(t.agents), estimate)))
    trainer.train()
    assert seen and all(each == [2.0] for each in seen)


def test_counts_and_flags_can_be_logged():
    def forward(objective, tensordict):
        loss = score(objective, tensordict)
        return TensorDict(
            {"loss_objective": loss, "rows": torch.tensor(3), "is_late": torch.tensor(True)}
        )

    trainer = train_with(forward)
    assert trainer.history.latest("rows") == 3.0
    assert trainer.history.latest("is_late") == 1.0


def test_a_gradient_rule_of_ones_own_needs_no_loss():
    class Pull(Objective):
        def forward(self, tensordict):
            return TensorDict({"distance": torch.ones(())})

        def backward(self, losses):
            for parameter in self.agents.parameters():
                parameter.grad = parameter.detach().clone()

    params = make_params(
        trainer="reinforce", optimizer={"name": "sgd"}, rl={"lr": 0.5, "max_grad_norm": None}
    )
    trainer = make_trainer(params)
    trainer.use(TrainerComponents(loss=lambda t: (Pull(t.agents), None)))
    trainer.setup()
    before = [p.detach().clone() for p in trainer.agents.parameters()]
    trainer.train_step(TensorDict({"x": torch.ones(2)}, batch_size=[2]))
    for parameter, old in zip(trainer.agents.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.detach(), old / 2)
    assert trainer.context.loss is None
    trainer.close()


class Poison:
    """A loss term that is infinite from an iteration on."""

    def __init__(self, first):
        self.first = first

    def __call__(self, batch, context):
        return torch.zeros(()) + (float("inf") if context.iteration >= self.first else 0.0)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("agent_rows", ["compact", "fixed"])
def test_a_loss_term_that_is_not_finite_is_at_fault_if_all_other_losses_are(first, agent_rows):
    params = make_params()
    settings = ExperimentSettings(progress=False, agent_rows=agent_rows)
    trainer = build_trainer(params, build_scenario_instance(params, settings), settings)
    trainer.use(TrainerComponents(loss_terms=[(0.5, Poison(first))]))
    with pytest.raises(DivergenceError) as caught:
        trainer.train()
    assert str(caught.value).startswith(
        f"loss_Poison became inf in iteration {first + 1}, and all other losses are finite. See "
        "what the loss term 'Poison' returns"
    )


def test_before_the_first_update_the_learning_rate_is_not_at_fault():
    trainer = make_trainer(make_params())
    with torch.no_grad():
        next(trainer.agents.agents["verifier"].parameters()).fill_(float("nan"))
    message = "became nan in iteration 1 before the first update, so the learning rate is not"
    with pytest.raises(DivergenceError, match=message):
        trainer.train()


def test_minibatches_without_a_turn_of_those_who_learn_are_no_mistake():
    """With minibatches of one frame, often none of the learning agents has its turn."""
    agents = {"prover": {"agent_lr_factor": {"actor": 0.0, "critic": 0.0}}}
    rl = {"minibatch_size": 1, "num_epochs": 1}
    trainer = make_trainer(make_params(trainer="reinforce", protocol="nip", agents=agents, rl=rl))
    trainer.train()
    assert trainer.context.iteration == 2


def test_a_probe_of_agents_that_do_not_learn_must_learn_itself():
    class Probe(Objective):
        def __init__(self, agents, is_detached):
            super().__init__(agents)
            self.bias, self.is_detached = nn.Parameter(torch.ones(())), is_detached

        def forward(self, tensordict):
            loss = self.bias.square()
            return TensorDict({"loss_probe": loss.detach() if self.is_detached else loss})

    params = make_params(trainer="reinforce", agents={"_default": RandomAgentParameters()})
    for is_detached in (False, True):
        trainer = make_trainer(params)
        make = lambda t: (Probe(t.agents, is_detached), None)  # noqa: B023, E731
        trainer.use(TrainerComponents(loss=make))
        if not is_detached:
            trainer.train()
            assert trainer.loss_module.bias.item() < 1
            continue
        with pytest.raises(ParameterError, match="loss_probe gives no gradient"):
            trainer.train()


def test_a_tensor_of_the_objective_that_is_no_parameter_is_refused():
    def forward(objective, tensordict):
        if "offset" not in vars(objective):
            objective.offset = torch.zeros((), requires_grad=True)
        return TensorDict({"loss_a": score(objective, tensordict) + objective.offset.square()})

    message = r"depends on 1 parameters that are neither trained nor saved, of.*an nn\.Parameter"
    with pytest.raises(ParameterError, match=message):
        train_with(forward)


def test_a_leaf_that_is_made_for_a_gradient_penalty_is_no_parameter():
    def forward(objective, tensordict):
        point = torch.ones((), requires_grad=True)
        (slope,) = torch.autograd.grad(point.square(), point, create_graph=True)
        return TensorDict({"loss_a": score(objective, tensordict) + slope})

    assert train_with(forward).context.iteration == 2


def test_parameters_that_the_loss_reads_only_later_are_checked_then():
    hidden = nn.Parameter(torch.zeros(()))

    def forward(objective, tensordict):
        loss = score(objective, tensordict)
        objective.count = getattr(objective, "count", 0) + 1
        is_late = objective.count > 4  # The first iteration has four updates.
        return TensorDict({"loss_a": loss + hidden.square() if is_late else loss})

    with pytest.raises(ParameterError, match="depends on 1 parameters that are neither trained"):
        train_with(forward)


class Holder:
    """A loss term with a tensor that nothing trains."""

    def __init__(self):
        self.offset = torch.ones((), requires_grad=True)

    def term(self, batch, context):
        return self.offset.square()


def test_a_tensor_of_a_loss_term_that_is_no_parameter_is_refused():
    trainer = make_trainer(make_params())
    trainer.use(TrainerComponents(loss_terms=[(1.0, Holder().term)]))
    with pytest.raises(ParameterError, match=r"depends on 1 parameters.*loss term.*an nn\.Module"):
        trainer.train()


def test_parameters_that_are_unfrozen_too_late_are_refused():
    frozen = nn.Linear(1, 1).requires_grad_(False)

    def forward(objective, tensordict):
        value = frozen(torch.ones(1, 1)).sum()
        frozen.requires_grad_(True)
        return TensorDict({"loss_a": score(objective, tensordict) + value})

    class Frozen(Objective):
        def __init__(self, agents):
            super().__init__(agents)
            self.head = frozen

        def forward(self, tensordict):
            return forward(self, tensordict)

    trainer = make_trainer(make_params(trainer="reinforce"))
    trainer.use(TrainerComponents(loss=lambda trainer: (Frozen(trainer.agents), None)))
    message = r"objective\.head\.weight, objective\.head\.bias require gradients now, but did not"
    with pytest.raises(ParameterError, match=message):
        trainer.train()
