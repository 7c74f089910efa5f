"""Watching a training run, and stepping in."""

from nip.trainers.callbacks.callback import Callback
from nip.trainers.context import TrainingContext
