"""All that a run leaves on disk: parameters, metrics, checkpoints, result, pictures."""

from nip.run_store.checkpoint import Checkpoint
from nip.run_store.history import RunHistory
from nip.run_store.opening import ResumePolicy
from nip.run_store.reading import read_history
from nip.run_store.run import Run, RunStatus
