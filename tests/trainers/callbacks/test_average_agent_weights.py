"""Federated averaging, against numbers worked out by hand."""

import pytest
import torch
from torch import nn

from nip.errors import ParameterError, UnknownNameError
from nip.trainers.callbacks.average_agent_weights import AverageAgentWeights
from tests.experiments import make_instance, make_params, make_trainer, same_tensors
from tests.trainers.callbacks.scripted_training import ScriptedTraining

PROVERS = ("prover0", "prover1")


@pytest.fixture
def agents():
    return make_instance(make_params(protocol="debate")).agents


def start(agents, names=PROVERS, **options):
    return ScriptedTraining(AverageAgentWeights(agents=names, **options), agents=agents)


def set_weights(agents, *values):
    """Let each prover have learnt one number for all of its weights."""
    with torch.no_grad():
        for name, value in zip(PROVERS, values, strict=True):
            for parameter in agents.agents[name].parameters():
                parameter.fill_(value)


def weights(agents):
    """Return the number that all weights of each prover have."""
    found = [nn.utils.parameters_to_vector(agents.agents[name].parameters()) for name in PROVERS]
    assert all(len(values.unique()) == 1 for values in found)
    return [values[0].item() for values in found]


def test_each_agent_gets_the_mean_and_others_keep_theirs(agents):
    verifier = {name: p.clone() for name, p in agents.agents["verifier"].named_parameters()}
    tensors = {name: p.data_ptr() for name, p in agents.named_parameters()}
    training = start(agents)
    set_weights(agents, 1.0, 4.0)
    training.iterate()
    assert weights(agents) == [2.5, 2.5]
    assert same_tensors(verifier, dict(agents.agents["verifier"].named_parameters()))
    assert {name: p.data_ptr() for name, p in agents.named_parameters()} == tensors


def test_running_statistics_become_their_mean_too(agents):
    for name, value in zip(PROVERS, (1.0, 2.0), strict=True):
        norm = nn.BatchNorm1d(2)
        norm.running_mean.fill_(value)
        norm.num_batches_tracked.fill_(int(value))
        body = agents.agents[name].body
        body.norm = norm
        body.register_buffer("table", torch.tensor(value), persistent=False)
    start(agents, server_momentum=0.9).iterate()
    assert [agents.agents[name].body.table.item() for name in PROVERS] == [1.0, 2.0]
    norms = [agents.agents[name].body.norm for name in PROVERS]
    assert [norm.running_mean.tolist() for norm in norms] == [[1.5, 1.5]] * 2
    assert [norm.num_batches_tracked.item() for norm in norms] == [1, 2]


def test_it_waits_for_its_iteration(agents):
    training = start(agents, every=3)
    found = []
    for _ in range(6):
        set_weights(agents, 1.0, 3.0)
        training.iterate()
        found.append(weights(agents))
    assert found == [[1.0, 3.0], [1.0, 3.0], [2.0, 2.0]] * 2


def learn_and_average(training, agents, *values):
    training.iterate(learn=lambda: set_weights(agents, *values))
    return weights(agents)


def test_momentum_adds_a_share_of_the_last_change(agents):
    set_weights(agents, 1.0, 3.0)
    training = start(agents, server_momentum=0.5)
    # From 2 to the mean 5: the velocity is -3. From 5 to the mean 7: it is 0.5 * -3 - 2 = -3.5.
    assert learn_and_average(training, agents, 4.0, 6.0) == [5.0, 5.0]
    assert learn_and_average(training, agents, 5.0, 9.0) == [8.5, 8.5]
    assert learn_and_average(training, agents, 8.5, 8.5) == [10.25, 10.25]


def test_an_interruption_changes_nothing(agents):
    set_weights(agents, 1.0, 3.0)
    first = start(agents, server_momentum=0.5)
    learn_and_average(first, agents, 4.0, 6.0)
    state = {name: tensor.clone() for name, tensor in first.callback.state_dict().items()}
    resumed = AverageAgentWeights(agents=PROVERS, server_momentum=0.5)
    resumed.load_state_dict(state)
    second = ScriptedTraining(resumed, done=1, agents=agents)
    assert learn_and_average(second, agents, 5.0, 9.0) == [8.5, 8.5]


def test_what_pretraining_changes_is_no_part_of_the_momentum(agents):
    set_weights(agents, 100.0, 200.0)
    training = start(agents, server_momentum=0.5)
    set_weights(agents, 1.0, 3.0)
    assert learn_and_average(training, agents, 4.0, 6.0) == [5.0, 5.0]
    assert learn_and_average(training, agents, 5.0, 9.0) == [8.5, 8.5]


def test_it_averages_once_in_an_iteration_and_before_the_evaluation(agents):
    set_weights(agents, 1.0, 3.0)
    training = start(agents, server_momentum=0.5)
    training.callback.on_iteration_start(training.context)
    for stage, expected in {"sample": [4.0, 6.0], "update": [5.0, 5.0]}.items():
        set_weights(agents, 4.0, 6.0)
        training.context.stage = stage
        training.callback.on_stage_end(training.context)
        assert weights(agents) == expected
    training.iterate()
    assert weights(agents) == [5.0, 5.0]


def test_agents_of_a_real_training_end_equal():
    callbacks = [{"name": "average_agent_weights", "agents": PROVERS}]
    trainer = make_trainer(make_params(protocol="debate", callbacks=callbacks))
    trainer.train()
    first, second = (dict(trainer.agents.agents[name].named_parameters()) for name in PROVERS)
    assert same_tensors(first, second)


def test_an_unknown_agent_is_named(agents):
    with pytest.raises(UnknownNameError, match=r"no agent 'prover2'.*Did you mean 'prover[01]'"):
        start(agents, names=("prover0", "prover2"))


def test_agents_that_differ_are_named_with_their_shapes(agents):
    with pytest.raises(
        ParameterError,
        match=r"'prover0' and 'verifier' differ in 4 weights: policy_head\.decision\.bias has the "
        r"shape None in the one and \(3,\)",
    ):
        start(agents, names=("prover0", "verifier"))


def test_language_models_are_refused():
    with pytest.raises(ParameterError, match="needs agents that are networks"):
        ScriptedTraining(AverageAgentWeights(agents=PROVERS), data="text")
