"""What ``settings.compile`` selects."""

from typing import Any
from unittest.mock import patch

import pytest
import torch

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.scenario_base import compilation
from nip.scenario_base.compilation import Compilation


def test_the_setting_selects_backend_and_cuda_graphs() -> None:
    assert Compilation.of("off") is None
    plain, graphs = Compilation.of("default"), Compilation.of("graphs")
    assert plain is not None and graphs is not None
    expected = {"backend": "inductor", "fullgraph": True, "dynamic": False}
    assert plain.options == expected
    assert graphs.options == {**expected, "mode": "reduce-overhead"}


@pytest.mark.parametrize("with_graphs", [False, True])
def test_results_of_cuda_graphs_are_kept_beyond_the_next_replay(with_graphs: bool) -> None:
    buffer, calls = torch.zeros(2), []

    def replay(factor: float) -> dict[str, Any]:
        """Write into the same memory each time, as a graph does."""
        calls.append("replay")
        return {"values": [buffer.copy_(torch.ones(2) * factor)], "name": "graph"}

    with (
        patch.object(torch, "compile", lambda function, **options: function),
        patch.object(torch.compiler, "cudagraph_mark_step_begin", lambda: calls.append("mark")),
    ):
        run = Compilation(with_graphs).compiled(replay, "A step")
        first, second = run(1.0), run(2.0)
    assert second["values"][0].tolist() == [2.0, 2.0] and second["name"] == "graph"
    assert first["values"][0].tolist() == ([1.0, 1.0] if with_graphs else [2.0, 2.0])
    assert calls == (["mark", "replay"] if with_graphs else ["replay"]) * 2


def test_what_asks_the_device_is_no_graph() -> None:
    def step(values: torch.Tensor) -> torch.Tensor:
        return values * 2 if values.sum() > 0 else values

    with patch.object(compilation, "BACKEND", "eager"):
        run = Compilation().compiled(step, "The loss of Mine")
        with pytest.raises(ParameterError, match=r"The loss of Mine cannot be compiled .*=off"):
            run(torch.ones(2))


def test_a_compiler_that_fails_is_a_users_error() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no C++ compiler\nmore")

    with patch.object(compilation, "BACKEND", fail):
        run = Compilation().compiled(lambda values: values * 2, "A step")
        with pytest.raises(ParameterError, match=r"A step cannot be compiled \(.*\)\. .*=off"):
            run(torch.ones(2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compile": "graphs"}, r"settings\.device='cpu' does not have\. Set settings\.compile=d"),
        ({"compile": "default", "agent_rows": "compact"}, r"Set settings\.agent_rows=auto, or"),
    ],
)
def test_impossible_combinations_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        ExperimentSettings(**settings)


def test_graphs_are_recorded_on_any_gpu() -> None:
    assert ExperimentSettings(compile="graphs", device="cuda:1").compile == "graphs"
