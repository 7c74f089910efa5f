"""How agents learn."""

from nip.trainers.moved_modules import MOVED
