"""Watching a training run, and stepping in."""

from nip.trainers.core.callback import Callback
from nip.trainers.core.context import TrainingContext
