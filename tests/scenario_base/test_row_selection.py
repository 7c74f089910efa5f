"""Rows on which agents are computed."""

from pathlib import Path

import pytest
import torch
from torch import nn

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.scenario_base.row_selection import ROW_MASK, RowSelection, uses_fixed_shapes
from nip.scenarios.graph_isomorphism.batch_norm import StableBatchNorm1d
from tests.experiments import make_params

MASK = torch.tensor([True, False, True])
VALUES = torch.tensor([[1.0], [torch.nan], [3.0]])


def test_compact_rows_are_those_that_count() -> None:
    rows = RowSelection.of(MASK, fixed_shapes=False)
    assert rows.take(VALUES).tolist() == rows.take_counting(VALUES).tolist() == [[1], [3]]
    assert rows.observed({"x": VALUES}).keys() == {"x"}
    target = torch.zeros(3, 2, 1)
    rows.write(target, 1, torch.tensor([[5.0], [6.0]]))
    assert target[..., 0].tolist() == [[0, 5], [0, 0], [0, 6]]
    assert RowSelection.of(torch.ones(3, dtype=torch.bool), fixed_shapes=False) == RowSelection()
    assert RowSelection.of(torch.zeros(3, dtype=torch.bool), fixed_shapes=False).is_empty


def test_fixed_shapes_have_all_rows_and_the_mask() -> None:
    rows = RowSelection.of(MASK, fixed_shapes=True)
    assert rows.take(VALUES) is VALUES
    assert rows.take_counting(VALUES).tolist() == [[1], [0], [3]]
    assert rows.take_counting(MASK).tolist() == MASK.tolist()
    assert rows.observed({"x": VALUES})[ROW_MASK] is MASK
    target = torch.full((3, 2, 1), 9.0)
    rows.write(target, 1, VALUES)
    assert target[..., 0].tolist() == [[9, 1], [9, 9], [9, 3]]
    assert not RowSelection.of(torch.zeros(3, dtype=torch.bool), fixed_shapes=True).is_empty


@pytest.mark.parametrize(
    ("chosen", "device", "expected"),
    [
        ("auto", "cpu", False),
        ("auto", "cuda:1", True),
        ("compact", "cuda", False),
        ("fixed", "cpu", True),
    ],
)
def test_accelerators_get_fixed_shapes(chosen, device, expected) -> None:
    assert uses_fixed_shapes(chosen, device, StableBatchNorm1d(2)) is expected


def test_batch_normalisation_without_a_mask_needs_compact_rows() -> None:
    agents = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert not uses_fixed_shapes("auto", "cuda", agents)
    with pytest.raises(ParameterError, match=r"but 1 normalises .* settings\.agent_rows=compact"):
        uses_fixed_shapes("fixed", "cuda", agents)


@pytest.mark.parametrize("chosen", ["compact", "fixed"])
def test_the_setting_reaches_agents_and_environments(chosen: str, data_dir: Path) -> None:
    params = make_params("graph_isomorphism", protocol="nip")
    settings = ExperimentSettings(data_dir=data_dir, agent_rows=chosen)
    instance = build_scenario_instance(params, settings)
    parts = (instance.agents, instance.train_environment, instance.test_environment)
    copies = (instance.test_environment.fresh_copy(0, num_environments=2),)
    assert [part.fixed_shapes for part in parts + copies] == [chosen == "fixed"] * 4
