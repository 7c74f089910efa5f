"""Watching a training run, and stepping in."""

from nip.trainers.callback import Callback
from nip.trainers.context import TrainingContext
