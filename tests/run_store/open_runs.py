"""Runs opened by tests in this process."""

from nip.run_store import Run

PARAMETERS = {"seed": 1, "rl": {"lr": 1e-4, "gamma": 0.9}, "agents": {"_default": {"width": 16}}}


def begin(settings, run_id="r", parameters=PARAMETERS, resume="auto"):
    return Run.open(settings, run_id, parameters, resume)


def everything_in(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
