"""Callbacks and loss terms on the command line."""

import pytest

from nip.command_line.composition import compose_run
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.request import read_request
from nip.errors import ParameterError
from nip.parameters import HyperParameters
from nip.parameters.callbacks import CsvParameters, EarlyStoppingParameters
from nip.parameters.named_components import LossTermParameters
from tests.source_files import REPOSITORY

TOY = ["scenario=toy", "dataset=witness", "trainer=vanilla_ppo", "interaction_protocol=adp"]
EARLY = EarlyStoppingParameters(monitor="mean_accuracy", patience=3)


def parameters(*words: str) -> HyperParameters:
    folders = ConfigFolders(REPOSITORY / "configs")
    return read_request(compose_run([*TOY, *words], folders).tree).experiment.hyper_params


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (
            "callbacks=[csv,{name:early_stopping,monitor:mean_accuracy,patience:3}]",
            (CsvParameters(), EARLY),
        ),
        ("callbacks=[csv]", (CsvParameters(),)),
        ("callbacks=csv", (CsvParameters(),)),
        ("callbacks=[]", ()),
        ("callbacks=null", ()),
    ],
)
def test_callbacks_are_a_list_of_names_and_mappings(word: str, expected: tuple[object]) -> None:
    assert parameters(word).callbacks == expected


def test_loss_terms_are_chosen_alike() -> None:
    terms = parameters("loss_terms=[proximal,{name:l2,weight:1e-4}]").loss_terms
    assert terms == (LossTermParameters("proximal"), LossTermParameters("l2", 1e-4))


def test_the_groups_of_training_are_set_by_their_names() -> None:
    params = parameters(
        "optimizer.name=sgd",
        "optimizer.momentum=0.9",
        "lr_scheduler.name=multistep",
        "lr_scheduler.milestones=[10,20]",
        "agents._default.optimizer.lr=0.1",
        "agents.verifier.optimizer.lr=0.2",
        "update_step.num_accumulation_steps=2",
        "eval_every=5",
    )
    assert (params.optimizer.name, params.optimizer.momentum) == ("sgd", 0.9)
    assert params.lr_scheduler.milestones == (10, 20)
    assert [params.agents[name].optimizer.lr for name in ("prover", "verifier")] == [0.1, 0.2]
    assert (params.update_step.num_accumulation_steps, params.eval_every) == (2, 5)


@pytest.mark.parametrize(
    ("word", "messages"),
    [
        ("callbacks=[cvs]", ["callbacks[0]: There is no callback 'cvs'. Did you mean 'csv'?"]),
        (
            "callbacks=[{name:early_stopping,patiense:3}]",
            ["'callbacks[0].patiense'", "Did you mean 'callbacks[0].patience'?"],
        ),
        ("callbacks=[{patience:3}]", ["callbacks[0]", "{'patience': 3}", "Write for example"]),
        ("callback=[csv]", ["There is no parameter 'callback'. Did you mean 'callbacks'?"]),
        ("loss_terms=[l3]", ["loss_terms[0]: There is no loss term 'l3'. Known: "]),
        ("optimizer.name=sgdd", ["got 'sgdd'. Did you mean 'sgd'?"]),
        ("callbacks=[early_stopping]", ["eval_every is None", "Set eval_every=1 or more"]),
    ],
)
def test_a_mistake_is_explained(word: str, messages: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        parameters(word)
    for message in messages:
        assert message in str(caught.value)
