"""State of users that a checkpoint cannot hold is refused with a message."""

import numpy as np
import pytest
import torch

from nip.errors import ParameterError
from nip.run import run_experiment
from nip.trainers.core.callback import Callback
from nip.trainers.core.components import TrainerComponents
from tests.experiments import make_settings, small_experiment


class Storing(Callback):
    """Puts a value into ``context.state``."""

    def __init__(self, value):
        self.value = value

    def on_iteration_start(self, context):
        context.state["mine"] = self.value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({1: torch.ones(2)}, "has the key 1 of type int"),
        ({1: 2}, "has the key 1 of type int"),
        ({"a": {3}}, "state.context.state.mine.a is of type builtins.set"),
        (np.ones(2), "state.context.state.mine is of type numpy.ndarray"),
        ([torch.ones(2)], "is a list of tensors"),
    ],
)
def test_networks(tmp_path, value, problem):
    components = TrainerComponents(callbacks=[Storing(value)])
    with pytest.raises(
        ParameterError, match=r"^state_dict of VanillaPpoTrainer cannot be saved: "
    ) as caught:
        run_experiment(
            small_experiment("vanilla_ppo"),
            run_id="run",
            settings=make_settings(tmp_path),
            components=components,
        )
    message = str(caught.value)
    assert problem in message
    assert "The state dict includes context.state" in message


def test_language_models(tmp_path):
    components = TrainerComponents(callbacks=[Storing(np.ones(2))])
    with pytest.raises(ParameterError, match=r"cannot be saved: state\.context\.state\.mine is of"):
        run_experiment(
            small_experiment("pure_text_ei"),
            run_id="run",
            settings=make_settings(tmp_path),
            components=components,
        )
