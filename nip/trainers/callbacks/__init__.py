"""Callbacks: observers of a training run, and interventions in it."""

from nip.trainers.core.callback import Callback
from nip.trainers.core.context import TrainingContext
