"""Fine-tuning of language models: datasets, backends, and jobs that survive a crash."""

from nip.language_models.errors import FineTuningDatasetError, FineTuningError
from nip.language_models.fine_tuning.backend import (
    FineTuningBackend,
    JobRequest,
    PolicyGradientOptions,
    RemoteJob,
    RemoteStatus,
)
from nip.language_models.fine_tuning.datasets import (
    FineTuningDataset,
    Preference,
    ScoredResponse,
    policy_gradient_dataset,
    preference_dataset,
    supervised_dataset,
)
from nip.language_models.fine_tuning.idempotent_creation import PollingPolicy
from nip.language_models.fine_tuning.job_plan import JobOptions, JobPlan
from nip.language_models.fine_tuning.jobs import JobRunner
from nip.language_models.fine_tuning.registry import (
    build_fine_tuning_backend,
    check_fine_tuning_access,
    find_fine_tuning_backend,
    fine_tuning_backend_registry,
    register_fine_tuning_backend,
)
