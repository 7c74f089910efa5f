"""The benchmarks run and write their metrics, whose values are not tested."""

import json
from pathlib import Path
from typing import Any

from tests.command_line_process import RUN_SCRIPT
from tests.fork_server import fork_server


def run_benchmark(repository: Path, folder: Path, name: str, *sizes: str) -> dict[str, Any]:
    """Run a benchmark; return what it has written."""
    script, path = repository / "benchmarks" / name, folder / "out.json"
    arguments = [str(script), "--json", str(path), *sizes]
    ending = fork_server().call(RUN_SCRIPT, *arguments, folder=folder)
    assert ending.exit_code == 0, ending.stderr
    return json.loads(path.read_text())


def test_the_tensor_benchmark_writes_its_metrics(repository: Path, tmp_path: Path) -> None:
    sizes = ("--rounds", "1", "--frames", "64", "--protocols", "debate")
    metrics = run_benchmark(repository, tmp_path, "bench_tensor.py", *sizes)
    for name in ("frames_per_s", "update_ratio", "collect_ratio", "peak_mb"):
        assert metrics[name] > 0 and metrics[f"images_{name}"] > 0, name
        assert metrics[f"zero_knowledge_{name}"] > 0, name
    assert metrics["zero_knowledge_update_factor"] > 0
    assert metrics["debate_update_ratio"] > 0
    assert metrics["psos_ratio_to_ppo"] > 0 and metrics["pspg_ratio_to_ppo"] > 0


def test_the_text_benchmark_writes_its_metrics(repository: Path, tmp_path: Path) -> None:
    sizes = (
        "--rollouts 4 --rounds 3 --repeats 1 --latency 0.001 --http-latency 0.01 "
        "--concurrency 8 200 --http-concurrency 50 --memory-rollouts 20"
    )
    metrics = run_benchmark(repository, tmp_path, "bench_text.py", *sizes.split())
    for name in (
        "makespan_ratio_c8",
        "makespan_ratio_c200",
        "own_ms_per_message",
        "tree_ratio",
        "http_ratio_c50",
        "cpu_ms_per_call_c50",
        "kb_per_rollout",
    ):
        assert metrics[name] > 0, name
    assert "rss_growth_mb" in metrics
