"""Invalid parameters of trainers are reported before a run starts, with a fix."""

import re

import pytest

from nip.errors import NipError, ParameterError, UnknownNameError
from nip.run import run_experiment
from tests.command_line_process import run_command_line
from tests.end_to_end.layer_runs import TRAINERS, params_for, train
from tests.experiments import make_settings

STOPPING = "early_stopping"

OF_EVERY_TRAINER = {
    "unknown optimizer": (
        {"optimizer": {"name": "adamm"}},
        r"optimizer\.name must be one of 'adam', .*got 'adamm'\. Did you mean 'adam'\?",
    ),
    "accumulation 0": (
        {"update_step": {"num_accumulation_steps": 0}},
        r"update_step\.num_accumulation_steps must be an integer, at least 1, got 0\. .*default",
    ),
    "a warm-up longer than the run": (
        {"lr_scheduler": {"name": "cosine", "num_warmup": 99}},
        r"lr_scheduler\.num_warmup must be below .*\d intervals .*got 99\. Lower it, or train",
    ),
    "misspelt field": (
        {"update_step": {"max_grad_valu": 1.0}},
        r"'update_step\.max_grad_valu'\. Did you mean 'update_step\.max_grad_value'\?",
    ),
    "misspelt group": (
        {"optimiser": {"name": "adam"}},
        r"no parameter 'optimiser'\. Did you mean 'optimizer'\?",
    ),
    "misspelt option": (
        {"callbacks": [{"name": STOPPING, "patienc": 3}]},
        r"'callbacks\[0\]\.patienc'\. Did you mean 'callbacks\[0\]\.patience'\?",
    ),
    "unknown callback": (
        {"callbacks": ["early_stoping"]},
        r"callbacks\[0\]: There is no callback 'early_stoping'\. Did you mean 'early_stopping'\?",
    ),
    "unknown term": (
        {"loss_terms": ["l3"]},
        r"loss_terms\[0\]: There is no loss term 'l3'\. Known: l2, proximal",
    ),
    "early stopping without evaluation": (
        {"callbacks": [{"name": STOPPING, "monitor": "test_mean_accuracy"}]},
        r"callbacks\[0\]\.monitor='test_mean_accuracy'.*eval_every is None.*Set eval_every=1",
    ),
    "a metric that is never logged": (
        {"callbacks": [{"name": STOPPING, "monitor": "grad_nrm"}]},
        r"monitor='grad_nrm', which is never logged.*Did you mean 'grad_norm'\?",
    ),
}

OF_ONE = {
    ("vanilla_ppo", "learning rate 0"): ({"rl": {"lr": 0}}, r"rl\.lr must be .*above 0, got 0\."),
    ("reinforce", "learning rate below 0"): (
        {"rl": {"lr": -0.1}},
        r"rl\.lr must be .*above 0, got -0\.1\. The default is",
    ),
    ("solo_agent", "learning rate 0"): (
        {"solo_agent": {"learning_rate": 0.0}},
        r"solo_agent\.learning_rate must be .*above 0, got 0\.0\. The default is",
    ),
    ("vanilla_ppo", "an agent's learning rate"): (
        {"agents": {"prover": {"optimizer": {"lr": 0.0}}}},
        r"agents\.prover\.optimizer\.lr must be .*above 0, or None, got 0\.0",
    ),
    **{
        (trainer, "minibatch larger than the batch"): (
            {"rl": {"minibatch_size": 9}},
            r"rl\.minibatch_size=9 is larger than the batch of 8 frames.*Lower rl\.minibatch_size",
        )
        for trainer in ("vanilla_ppo", "reinforce")
    },
}

MISTAKES = OF_ONE | {
    (trainer, name): mistake for trainer in TRAINERS for name, mistake in OF_EVERY_TRAINER.items()
}


@pytest.mark.parametrize(("trainer", "name"), MISTAKES)
def test_a_mistake_is_told_with_its_field_and_the_way_out(trainer, name, tmp_path):
    changes, message = MISTAKES[trainer, name]
    with pytest.raises(NipError, match=re.compile(message, re.DOTALL)):
        run_experiment(params_for(trainer, **changes), settings=make_settings(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("terms", "monitor"),
    [([{"name": "l2", "weight": 0.0}], "loss_l2"), (["l2"], "loss_l2_2"), (["l2"], "l2")],
)
def test_a_term_that_is_never_logged_cannot_be_watched(terms, monitor):
    callbacks = [{"name": STOPPING, "monitor": monitor}]
    with pytest.raises(UnknownNameError, match=f"monitor='{monitor}', which is never logged"):
        train(params_for("reinforce", loss_terms=terms, callbacks=callbacks))


def test_two_terms_of_one_name_can_both_be_watched():
    names = ("loss_l2", "loss_l2_2")
    callbacks = [{"name": STOPPING, "monitor": name, "save_best": False} for name in names]
    trained = train(params_for("reinforce", loss_terms=["l2", "l2"], callbacks=callbacks))
    assert trained.history.values("loss_l2") == trained.history.values("loss_l2_2")


@pytest.mark.parametrize("part", ["loss", "data"])
def test_a_part_that_a_trainer_does_not_have_cannot_be_exchanged(part):
    with pytest.raises(ParameterError, match=rf"no {part} to be exchanged.*loss_terms"):
        train(params_for("solo_agent"), **{part: lambda trainer: None})


ARGUMENTS = ["scenario=toy", "dataset=witness", "interaction_protocol=adp", "trainer=vanilla_ppo"]


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (
            ["optimizer.name=lamb", "rl.lr=-1", "update_step.num_accumulation_steps=0"],
            ["optimizer.name", "rl.lr must be", "update_step.num_accumulation_steps must be"],
        ),
        (["callbacks=[early_stopping]"], ["callbacks[0].monitor=", "Set eval_every=1"]),
        (
            ["callbacks=[{name:early_stopping,monitor:mean_acuracy}]"],
            ["monitor='mean_acuracy', which is never logged", "Did you mean 'mean_accuracy'?"],
        ),
    ],
)
def test_on_the_command_line_it_ends_with_2_and_no_traceback(arguments, messages, working_folder):
    outcome = run_command_line([*ARGUMENTS, *arguments], working_folder)
    assert outcome.exit_code == 2
    assert "Traceback" not in outcome.stderr
    for message in messages:
        assert message in outcome.stderr
    assert list(working_folder.iterdir()) == []
