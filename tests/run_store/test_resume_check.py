"""Resuming a run with the same and with other parameters."""

import pytest
import yaml

from nip.errors import ResumeError
from nip.parameters import HyperParameters
from tests.run_store.open_runs import PARAMETERS, begin, everything_in, make_old


def test_changed_parameters_are_refused_by_dotted_name_with_both_values(settings, runs_dir):
    begin(settings).close()
    before = everything_in(runs_dir)
    changed = {"seed": 1, "rl": {"lr": 0.01, "gamma": 0.9}, "agents": {"_default": {"width": 8}}}
    with pytest.raises(ResumeError) as caught:
        begin(settings, parameters=changed)
    message = str(caught.value)
    assert "rl.lr: 0.0001 → 0.01" in message
    assert "agents._default.width: 16 → 8" in message
    assert "seed" not in message
    assert "gamma" not in message
    assert "another run_id" in message
    assert everything_in(runs_dir) == before


def tree_with_callbacks(*callbacks):
    return {**PARAMETERS, "callbacks": [{"name": name, **options} for name, options in callbacks]}


def test_observers_may_come_and_go_but_what_steps_in_may_not(settings):
    stopping = ("early_stopping", {"patience": 2})
    with begin(settings, parameters=tree_with_callbacks(stopping, ("csv", {}))) as run:
        path = run.folder / "hyper_params.yaml"
        first = path.read_bytes()
    for others in ([], [("tensorboard", {}), ("rollout_samples", {"every": 2})]):
        begin(settings, parameters=tree_with_callbacks(*others, stopping)).close()
    assert path.read_bytes() == first
    for changed in (
        [("early_stopping", {"patience": 3})],
        [],
        [stopping, ("best_checkpoint", {})],
        [stopping, ("unknown", {})],
    ):
        with pytest.raises(ResumeError, match="callbacks"):
            begin(settings, parameters=tree_with_callbacks(*changed))


@pytest.mark.parametrize("name", ["constant_verifier", "label_leak", "silent_prover"])
def test_alarms_that_only_warn_may_come_and_go_but_not_those_that_end_training(settings, name):
    begin(settings, parameters=tree_with_callbacks((name, {"action": "warn"}))).close()
    for callbacks in ([], [(name, {"window": 3})], [(name, {"action": "warn", "warmup": 3})]):
        begin(settings, parameters=tree_with_callbacks(*callbacks)).close()
    begin(settings, parameters={**PARAMETERS, "callbacks": [name]}).close()
    with pytest.raises(ResumeError, match="callbacks"):
        begin(settings, parameters=tree_with_callbacks((name, {"action": "stop"})))


def rewrite_version(folder, version):
    make_old(folder)
    path = folder / "hyper_params.yaml"
    stored = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**stored, "_package_version": version}))
    return stored


def test_another_version_of_the_package_is_no_change(settings):
    tree = HyperParameters("toy", "reinforce", "witness").to_dict()
    with begin(settings, parameters=tree) as run:
        folder = run.folder
    rewrite_version(folder, "0.0.1")
    begin(settings, parameters=tree, resume="must").close()


@pytest.mark.parametrize("version", [None, "0.0.1"])
def test_a_parameter_that_was_added_since_counts_as_its_default(settings, version):
    tree = HyperParameters("toy", "reinforce", "witness").to_dict()
    without = {name: value for name, value in tree.items() if name != "message_size"}
    with begin(settings, parameters=without) as run:
        folder = run.folder
    if version is not None:
        rewrite_version(folder, version)
    begin(settings, parameters=tree).close()
    with pytest.raises(ResumeError, match="message_size: 1 → 2"):
        begin(settings, parameters={**tree, "message_size": 2})


def test_stored_parameters_that_cannot_be_read_are_an_error_that_names_the_file(settings):
    with begin(settings) as run:
        path = run.folder / "hyper_params.yaml"
    path.write_text("[1, 2")
    with pytest.raises(ResumeError, match=r"hyper_params\.yaml"):
        begin(settings)
