"""All that a run leaves on disk: parameters, metrics, checkpoints, result, pictures."""

from nip.run_store.checkpoint import Checkpoint
from nip.run_store.history import RunHistory
from nip.run_store.job_table import FineTuningJobRow, JobStatus, JobTable
from nip.run_store.journal import RunJournal
from nip.run_store.opening import ResumePolicy
from nip.run_store.reading import open_database, read_history
from nip.run_store.rollout_table import RolloutPhase, RolloutTable
from nip.run_store.run import Run, RunStatus
