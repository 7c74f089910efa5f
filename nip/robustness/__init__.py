"""Robustness: the accuracy of a trained verifier against provers that try to mislead it."""

from typing import TYPE_CHECKING

from nip.utils.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from nip.robustness.attack import AttackOptions, AttackReport, attack_run

__all__ = ["AttackOptions", "AttackReport", "attack_run"]

__getattr__ = lazy_exports("nip.robustness", dict.fromkeys(__all__, "nip.robustness.attack"))
