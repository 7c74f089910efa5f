"""Robustness: the accuracy of a trained verifier against provers that try to mislead it."""

from nip.robustness.attack import AttackOptions, AttackReport, attack_run

__all__ = ["AttackOptions", "AttackReport", "attack_run"]
