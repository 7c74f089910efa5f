"""Alarms: given in constructed collapses, with the right figure, once, and not in healthy games."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tensordict import TensorDict

from nip.errors import CollapseError, NipWarning, ParameterError, UnknownNameError
from nip.robustness.callbacks.constant_verifier import ConstantVerifier
from nip.robustness.callbacks.label_leak import LabelLeak
from nip.robustness.callbacks.silent_prover import SilentProver
from nip.run import run_experiment
from nip.scenario_base.agents import AgentBody
from nip.trainers.core.components import TrainerComponents
from nip.trainers.core.context import TrainingContext
from tests.experiments import make_params, make_settings, make_trainer
from tests.trainers.rollout_tables import make_rollouts

NOW = {"warmup": 0, "window": 2}
LEARNS = {
    "rollouts_per_iteration": 128,
    "minibatch_size": 128,
    "num_epochs": 4,
    "num_iterations": 24,
    "lr": 0.1,
}
ALARMS = [
    {"name": "constant_verifier", "warmup": 15},
    {"name": "silent_prover", "warmup": 15},
    {"name": "label_leak", "warmup": 15, "window": 2, "every": 2},
]


def finished(verdicts, labels):
    """Return frames in which every episode ends."""
    size = len(verdicts)
    return TensorDict(
        {
            "y": torch.tensor(labels).unsqueeze(-1),
            "next": {"done": torch.ones(size, dtype=bool), "verdict": torch.tensor(verdicts)},
        },
        batch_size=size,
    )


def give(alarm, *batches):
    """Show an alarm the frames of one iteration after the other, as a trainer would."""
    context = TrainingContext(trainer=SimpleNamespace())
    logged = []
    for iteration, frames in enumerate(batches):
        context.iteration, context.rollouts = iteration, frames
        logged.append(dict(alarm.measure(context)))
        context.metrics_iteration = iteration + 1
        alarm.on_log(context)
    return context, logged


CONSTANT = finished([1] * 99 + [0], [0, 1] * 50)
HEALTHY = finished([0, 1] * 50, [0, 1] * 50)


def test_a_constant_verifier_is_reported_once_with_its_figure():
    with pytest.warns(NipWarning) as caught:
        _, logged = give(ConstantVerifier(**NOW), *[CONSTANT] * 5)
    (warning,) = caught
    assert str(warning.message).startswith(
        "Alarm constant_verifier, iteration 2: the verifier accepted in 99.0% of the episodes of "
        "the last 2 iterations (threshold 0.98), while the most frequent label has a share of 50.0%"
    )
    assert logged == [{"largest_decision_share": 0.99, "largest_label_share": 0.5}] * 5


@pytest.mark.filterwarnings("error")
def test_no_alarm_before_the_window_is_full_or_while_the_figure_is_all_right():
    give(ConstantVerifier(**NOW), CONSTANT)
    give(ConstantVerifier(**NOW), CONSTANT, HEALTHY, CONSTANT, HEALTHY)
    give(ConstantVerifier(warmup=3, window=2), *[CONSTANT] * 4)
    # What is nearly always right is right to decide nearly always the same.
    give(ConstantVerifier(**NOW), *[finished([1] * 100, [1] * 99 + [0])] * 3)
    # Iterations in which no episode ends have no figure.
    _, logged = give(ConstantVerifier(**NOW), finished([1], [1])[:0], CONSTANT)
    assert logged[0] == {}


def dialogues(verdicts, labels):
    size = len(verdicts)
    return make_rollouts(
        verdict=np.array(verdicts),
        y=np.array(labels),
        # The last one is left out.
        failed=np.arange(size) == size - 1,
    )


def test_a_constant_verifier_of_dialogues_is_reported_too():
    batch = dialogues([2] * 99 + [1, 1], [0, 1] * 50 + [1])
    with pytest.warns(NipWarning, match=r"decided nothing in 99.0%.*balance_verdicts") as caught:
        _, logged = give(ConstantVerifier(warmup=0, window=1), batch, batch)
    assert len(caught) == 1
    assert logged == [{"largest_decision_share": 0.99, "largest_label_share": 0.5}] * 2


@pytest.mark.filterwarnings("error")
def test_a_few_episodes_say_nothing():
    batch = finished([1] * 19, [0, 1] * 9 + [0])
    _, logged = give(ConstantVerifier(**NOW), batch, batch, batch)
    assert logged[0]["largest_decision_share"] == 1.0
    with pytest.raises(CollapseError, match="accepted in 100"):
        give(ConstantVerifier(**NOW, min_episodes=19, action="raise"), batch, batch)


def test_an_alarm_can_stop_training_or_raise():
    context, _ = give(ConstantVerifier(**NOW, action="stop"), CONSTANT, CONSTANT)
    assert context.stop_reason.startswith("Alarm constant_verifier, iteration 2:")
    with pytest.raises(CollapseError, match="accepted in 99"):
        give(ConstantVerifier(**NOW, action="raise"), CONSTANT, CONSTANT)


def test_what_was_given_is_not_given_again_after_a_restart():
    first = ConstantVerifier(**NOW)
    with pytest.warns(NipWarning):
        give(first, CONSTANT, CONSTANT)
    second = ConstantVerifier(**NOW)
    second.load_state_dict(first.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        give(second, CONSTANT, CONSTANT)
    third = ConstantVerifier(**NOW)
    third.load_state_dict({**first.state_dict(), "given": []})
    with pytest.warns(NipWarning, match="iteration 1:"):
        give(third, CONSTANT)


def warnings_of(**changes):
    """Train the prover and verifier of a toy game under all alarms; return what these report."""
    trainer = make_trainer(make_params(rl=LEARNS, callbacks=ALARMS, **changes))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.train()
    messages = [str(each.message) for each in caught if issubclass(each.category, NipWarning)]
    return [message for message in messages if message.startswith("Alarm")], trainer


@pytest.mark.parametrize(("dataset", "shared"), [("witness", False), ("cheap_talk", True)])
def test_healthy_games_give_no_alarm(dataset, shared):
    found, trainer = warnings_of(dataset=dataset, protocol_common={"shared_reward": shared})
    assert trainer.history.latest("mean_accuracy") > 0.9
    assert found == []


def test_cheap_talk_of_opponents_collapses_into_a_constant_verifier_and_a_silent_prover():
    found, trainer = warnings_of(dataset="cheap_talk")
    assert sorted(message.split(",")[0] for message in found) == [
        "Alarm constant_verifier",
        "Alarm silent_prover",
    ]
    assert trainer.history.latest("prover.message_information") < 0.01
    assert trainer.history.latest("prover.label_from_message") == pytest.approx(0.5, abs=0.1)


class SeesTheSecret(AgentBody):
    """A body of the verifier that sees what only the prover should see."""

    def forward(self, observation):
        return {"features": observation["secret"]}


def test_a_verifier_that_sees_the_label_does_not_need_the_prover():
    leak = {"name": "label_leak", "warmup": 15, "window": 2, "every": 2}
    params = make_params(dataset="cheap_talk", rl=LEARNS, callbacks=[leak])
    trainer = make_trainer(params)
    verifier = trainer.agents.agents["verifier"]
    verifier.body = SeesTheSecret(verifier.context)
    with pytest.warns(NipWarning, match="the verifier keeps .* it does not need the provers"):
        trainer.train()
    assert trainer.history.latest("accuracy_with_random_provers") > 0.95
    assert trainer.history.latest("kept_with_random_provers") == pytest.approx(1.0, abs=0.1)


def test_an_opponent_that_gives_the_label_away_is_reported():
    frozen = {"agent_lr_factor": {"actor": 0.0, "critic": 0.0}}
    leak = {"name": "label_leak", **NOW}
    params = make_params(
        dataset="cheap_talk", rl=LEARNS, callbacks=[leak], agents={"prover": frozen}
    )
    trainer = make_trainer(params)
    message = trainer.agents.agents["prover"].policy_head.message
    with torch.no_grad():
        message.weight.copy_(torch.zeros_like(message.weight))
        # The secret, which is the label, follows the heard words.
        message.weight[:, -4:] = 20 * torch.eye(4)
    with pytest.warns(NipWarning, match=r"iteration 2: one symbol .* of prover tells .* 100\.0%"):
        trainer.train()


def test_weights_and_all_other_metrics_are_bit_identical_without_alarms(tmp_path):
    found = []
    alarms = [
        {"name": name, "warmup": 0, "window": 3, "action": "stop", **more}
        for name, more in {
            "constant_verifier": {},
            "silent_prover": {},
            "label_leak": {"every": 1},
        }.items()
    ]
    for name, callbacks in {"without": [], "with": alarms}.items():
        params = make_params(rl={"num_iterations": 3}, callbacks=callbacks)
        run = run_experiment(params, run_id=name, settings=make_settings(tmp_path))
        weights = sorted((run.folder / "checkpoints" / "iteration_000003").rglob("*.safetensors"))
        found.append((run.metrics, [path.read_bytes() for path in weights]))
    (plain, weights), (watched, same_weights) = found
    assert weights == same_weights != []
    assert {name: watched[name] for name in plain} == plain
    assert {"largest_decision_share", "prover.message_information"} <= watched.keys() - plain.keys()


def test_a_run_resumed_with_a_further_alarm_that_warns_keeps_the_state_of_one_that_stops():
    stops = {"name": "silent_prover", "action": "stop", "warmup": 0, "window": 5}
    first = make_trainer(make_params(callbacks=[stops]))
    first.train()
    assert len(first.callbacks[0].state_dict()["values"]["prover.message_information"]) == 2
    warns = {**stops, "action": "warn"}
    second = make_trainer(make_params(callbacks=[warns, stops]))
    second.setup()
    second.load_state_dict(first.state_dict())
    assert second.callbacks[0].state_dict()["values"] == {}
    assert second.callbacks[1].state_dict() == first.callbacks[0].state_dict()
    second.close()


def test_other_callbacks_can_monitor_the_figures_of_alarms(tmp_path):
    stopping = {
        "name": "early_stopping",
        "monitor": "prover.message_information",
        "threshold": 0.0,
    }
    watching = {"name": "silent_prover", "warmup": 0, "action": "stop"}
    params = make_params(callbacks=[watching, stopping], rl={"num_iterations": 5})
    run = run_experiment(params, run_id="run", settings=make_settings(tmp_path))
    assert "message_information" in (run.folder / "result.json").read_text()
    params = make_params(callbacks=[stopping])
    with pytest.raises(UnknownNameError, match=r"prover\.message_information"):
        run_experiment(params, run_id="none", settings=make_settings(tmp_path))


def test_agents_that_are_unknown_and_trainers_without_episodes_are_refused():
    with pytest.raises(UnknownNameError, match=r"silent_prover\.agents.*'prover0'"):
        make_trainer(
            make_params(callbacks=[{"name": "silent_prover", "agents": ["prover0"]}])
        ).check()
    with pytest.raises(ParameterError, match="label_leak needs networks that play episodes"):
        make_params(trainer="solo_agent", callbacks=["label_leak"])
    trainer = make_trainer(make_params(trainer="solo_agent"))
    trainer.use(TrainerComponents(callbacks=[LabelLeak()]))
    with pytest.raises(ParameterError, match="label_leak needs networks that play episodes"):
        trainer.check()


def test_random_provers_are_not_watched():
    trainer = make_trainer(make_params(agents={"prover": {"is_random": True}}))
    assert list(SilentProver().metric_names(trainer)) == []
    assert list(SilentProver(agents=("verifier",)).metric_names(trainer)) == [
        "verifier.message_information"
    ]
