"""The study of ``local_study.py`` with two servers that load the adapters, as vLLM servers do.

Here they are two mock servers with the tiny model.
"""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from local_study import BASE, make_base_model, parameters, print_jobs, settings

from nip import run_experiment


@contextmanager
def server() -> Iterator[str]:
    """Serve the base model, and load adapters on request; yield the address."""
    command = [sys.executable, "-m", "nip.language_models.server", "--port", "0", "--adapters"]
    command += ["--brain", "local", "--brain-file", BASE, "--served-model-name", BASE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+/v1", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()


def adapters(address: str) -> list[str]:
    """Return the names of the adapters that a server has."""
    with urllib.request.urlopen(f"{address}/models") as answer:
        return [model["id"] for model in json.load(answer)["data"] if "parent" in model]


if __name__ == "__main__":
    make_base_model()
    with server() as first, server() as second:
        study = parameters(model_provider="vllm", base_url=(first, second))
        result = run_experiment(study, run_id="adapters_on_servers", settings=settings())
        print_jobs(result.folder)
        assert adapters(first) == adapters(second)
        print("both servers have", *(name.rpartition("-")[0] for name in adapters(first)))
