"""Episodes about chosen datapoints."""

from dataclasses import replace

import torch

from nip.robustness.episodes import play_episodes
from nip.scenario_base.agents import ILLEGAL_LOGIT
from tests.experiments import make_instance, make_params


def play(instance, **options):
    rows = torch.arange(len(instance.test_environment.dataset))
    return play_episodes(
        instance.test_environment,
        instance.agents,
        rows,
        (0,),
        num_repeats=200,
        greedy=True,
        seed=1,
        **options,
    )


def test_random_agents_write_each_legal_symbol_equally_often_and_no_other(monkeypatch):
    instance = make_instance(make_params(dataset="witness", protocol="adp"))
    environment, prover = instance.test_environment, instance.agents.agents["prover"]
    index = instance.protocol_handler.agent_names.index("prover")
    written = []
    advance, forward = environment.advance, prover.forward

    def record(state, actions):
        written.append(actions["position_selected"][:, index].flatten())
        return advance(state, actions)

    def only_two_are_legal(observation, *, with_value=True):
        output = forward(observation, with_value=with_value)
        logits = output.message_logits.clone()
        logits[..., 2:] = ILLEGAL_LOGIT
        return replace(output, message_logits=logits)

    monkeypatch.setattr(environment, "advance", record)
    monkeypatch.setattr(prover, "forward", only_two_are_legal)
    play(instance, random_agents=("prover",))
    counts = torch.bincount(written[0], minlength=4).tolist()
    assert counts[2:] == [0, 0]
    # Of 1600 fair draws; five standard deviations are 100.
    assert abs(counts[0] - 800) < 100


def test_agents_keep_their_modes():
    instance = make_instance(make_params())
    instance.agents.train()
    instance.agents.agents["prover"].eval()
    before = [module.training for module in instance.agents.modules()]
    play(instance)
    assert [module.training for module in instance.agents.modules()] == before
