"""Reading a run of language models."""

from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.rollout_analysis.text_run import open_text_run
from nip.run_store import Run


def test_stages_are_in_chronological_order_and_can_be_chosen(runs_dir: Path) -> None:
    with open_text_run(runs_dir / "played") as run:
        assert run.stages() == [("train", 1), ("test", 1), ("train", 2), ("test", 2)]
        assert run.stages(["test"], [2]) == [("test", 2)]
        with pytest.raises(ParameterError, match=r"rollouts in: train 1, test 1, train 2, test 2"):
            run.stages(iterations=[3])
        assert run.hyper_params.trainer == "pure_text_ei"
        assert len(list(run.stored.each("train", 0))) == 12


def test_a_run_of_networks_is_refused(tmp_path: Path) -> None:
    tree = HyperParameters("toy", "reinforce", "witness").to_dict()
    Run.open(ExperimentSettings(runs_dir=str(tmp_path)), "r", tree).close()
    with (
        pytest.raises(ParameterError, match="trainer='reinforce', whose agents are not"),
        open_text_run(tmp_path / "r"),
    ):
        pass
