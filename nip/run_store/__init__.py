"""Storage of a run on disk: parameters, metrics, checkpoints, result, figures."""

from nip.run_store.checkpoints.checkpoint import Checkpoint
from nip.run_store.database.bill import BILL_KEY, UNCERTAIN_KEY
from nip.run_store.database.history import RunHistory
from nip.run_store.database.job_table import FineTuningJobRow, JobStatus, JobTable
from nip.run_store.database.journal import RunJournal
from nip.run_store.database.rollout_table import RolloutPhase, RolloutTable
from nip.run_store.opening import ResumePolicy
from nip.run_store.reading import open_database, read_history
from nip.run_store.run import Run, RunStatus
