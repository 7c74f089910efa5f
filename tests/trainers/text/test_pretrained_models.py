"""Language models copied out of a run."""

import pytest

from nip.errors import ParameterError
from nip.factory import build_scenario_instance
from nip.language_models.chat import ModelSpec
from nip.trainers.text.pretrained_models import save_pretrained_models
from tests.text_experiments import make_text_params, text_settings


@pytest.fixture
def groups(tmp_path):
    """The groups of an experiment whose models are all local but one."""
    pytest.importorskip("transformers")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    instance = build_scenario_instance(make_text_params(), text_settings(tmp_path / "runs"))
    for group in instance.shared_model_groups.values():
        group.model = ModelSpec("local", str(folder))
    return instance.shared_model_groups


def test_the_folder_of_each_group_is_a_copy_of_its_present_model(groups, tmp_path):
    save_pretrained_models(tmp_path / "out", groups)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(groups)
    assert len(groups) > 1
    for name in groups:
        copy = tmp_path / "out" / name
        assert (copy / "model.safetensors").read_bytes() == b"weights"
        assert (copy / "config.json").read_text() == "{}"
    with pytest.raises(ParameterError, match=r"exists already.*another folder"):
        save_pretrained_models(tmp_path / "out", groups)


def test_models_of_other_providers_are_refused_and_nothing_is_copied(groups, tmp_path):
    groups["verifier"].model = ModelSpec("openai", "gpt-4o-mini")
    with pytest.raises(
        ParameterError, match=r"'gpt-4o-mini' of verifier cannot be saved.*'openai'.*'local'"
    ):
        save_pretrained_models(tmp_path / "out", groups)
    assert not (tmp_path / "out").exists()
