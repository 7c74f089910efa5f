"""Digests of small runs of every trainer and protocol: weights, history, dialogues.

Two commits that compute the same numbers print the same digests. Run it with each of them on one
machine to compare them:

    PYTHONPATH=/path/to/one/checkout python benchmarks/run_digests.py --json one.json
    PYTHONPATH=/path/to/another/checkout python benchmarks/run_digests.py --json other.json
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

import nip
from nip import HyperParameters, run_experiment
from nip.errors import NipError
from nip.run_store import read_history

SCRIPTS = Path(nip.__file__).parents[1] / "scripts"
PROTOCOLS = ("adp", "debate", "merlin_arthur", "mnip", "multi_channel_test", "nip", "solo_verifier")
RL = {
    "num_iterations": 3,
    "frames_per_batch": 96,
    "minibatch_size": 32,
    "num_epochs": 2,
    "num_test_iterations": 1,
    "num_normalization_steps": 60,
}
SOLO = {"num_epochs": 2, "batch_size": 16}
GRAPH_AGENT = {"num_gnn_layers": 1, "d_gnn": 8, "num_transformer_layers": 1, "num_heads": 2}


def experiments() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a name and the hyper-parameters of each experiment."""
    for trainer in ("vanilla_ppo", "reinforce", "solo_agent"):
        for protocol in PROTOCOLS:
            common = {"trainer": trainer, "interaction_protocol": protocol, "rl": RL}
            toy = {"scenario": "toy", "dataset": "witness", "solo_agent": SOLO, **common}
            yield f"toy-{trainer}-{protocol}", toy
            graphs = {"scenario": "graph_isomorphism", "dataset": "small", "solo_agent": SOLO}
            agents = {"_default": GRAPH_AGENT}
            yield f"graphs-{trainer}-{protocol}", {**graphs, **common, "agents": agents}
    for protocol in PROTOCOLS:
        yield (
            f"text-pure_text_ei-{protocol}",
            {
                "scenario": "code_validation",
                "dataset": "test",
                "trainer": "pure_text_ei",
                "interaction_protocol": protocol,
                "agents": {"_default": {"use_dummy_api": True}},
                "rl": {"num_iterations": 2, "rollouts_per_iteration": 8},
                "text_rl": {"test_scheme": "last", "test_on_whole_dataset": False},
            },
        )


def digest_of_history(folder: Path) -> str:
    """Digest every value of every metric."""
    history = read_history(folder)
    values = {
        name: [list(map(repr, pair)) for pair in history.values(name)] for name in history.names()
    }
    return _digest(json.dumps(values, sort_keys=True).encode())


def digest_of_tensors(folder: Path) -> str:
    """Digest the floating point tensors of the last checkpoint, whatever they are called."""
    checkpoints = sorted(path for path in (folder / "checkpoints").glob("*") if path.is_dir())
    parts = []
    for file in sorted(checkpoints[-1].rglob("*.safetensors")) if checkpoints else []:
        for tensor in load_file(file).values():
            if tensor.is_floating_point() and tensor.numel() > 0:
                data = (
                    tensor.contiguous().view(torch.uint8)
                    if tensor.ndim
                    else tensor.reshape(1).view(torch.uint8)
                )
                parts.append(_digest(bytes(data.flatten().tolist())) + str(tuple(tensor.shape)))
    return _digest("\n".join(sorted(parts)).encode())


def digest_of_dialogues(folder: Path) -> str:
    """Digest all transcripts."""
    files = sorted((folder / "transcripts").rglob("*"))
    return _digest(b"".join(path.read_bytes() for path in files if path.is_file()))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def make_graph_pairs(data_dir: Path) -> None:
    """Write the dataset ``small`` of graph isomorphism."""
    sizes = ["--num-train", "40", "--num-test", "20", "--sizes", "7", "8"]
    command = [sys.executable, str(SCRIPTS / "create_gi_dataset.py"), "small", *sizes]
    subprocess.run([*command, "--data-dir", str(data_dir)], check=True, capture_output=True)


def main() -> None:
    """Run the experiments and print their digests."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the digests to this file")
    parser.add_argument("--only", default="", metavar="PREFIX", help="runs whose name begins so")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    digests: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = root / "data"
        make_graph_pairs(data)
        for run_id, params in experiments():
            if not run_id.startswith(options.only):
                continue
            try:
                result = run_experiment(
                    HyperParameters.from_dict(params),
                    run_id=run_id,
                    runs_dir=str(root / "runs"),
                    data_dir=str(data),
                    progress=False,
                )
                digests[run_id] = {
                    "history": digest_of_history(result.folder),
                    "tensors": digest_of_tensors(result.folder),
                    "dialogues": digest_of_dialogues(result.folder),
                }
            except NipError as error:
                digests[run_id] = f"refused: {str(error)[:80]}"
            print(run_id, digests[run_id], flush=True)
    if options.json:
        options.json.write_text(json.dumps(digests, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
