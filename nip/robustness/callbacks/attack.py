"""Callback that attacks the frozen verifier at regular intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

from nip.command_table import typed
from nip.errors import ParameterError, warn_user
from nip.parameters.robustness import AttackParameters
from nip.trainers.core.callback import Callback
from nip.trainers.core.callback_registry import register_callback
from nip.trainers.core.context import TrainingContext
from nip.utils.ranks import launched_ranks

if TYPE_CHECKING:
    from nip.robustness.training_attack import TrainingAttack
    from nip.trainers.core.trainer import Trainer
    from nip.trainers.rl_tensordict_base import TensorDictRlTrainer


@register_callback("attack", parameters=AttackParameters)
class Attack(Callback):
    """Logs the accuracy that the verifier keeps against provers trained to mislead it.

    Every ``every`` iterations, fresh provers are trained for ``num_iterations`` iterations against
    a copy of the verifier, as ``nip.robustness.attack_run`` does with a finished run. With
    :math:`T` labels that somebody gains from misjudging, training takes longer by about the share
    ``T * num_seeds * num_iterations / every``, and each attack plays the test episodes besides.

    Parameters
    ----------
    **options : Any
        The fields of ``AttackParameters``.
    """

    is_observer = True

    def __init__(self, **options: Any) -> None:
        self.params = AttackParameters(**options)
        self._attack: TrainingAttack | None = None
        self._has_warned = False

    def check(self, trainer: Trainer) -> None:
        """Refuse trainers without episodes of networks, and protocols that nobody would attack."""
        # Imported here, because this module is also imported without torch.
        from nip.robustness.training_attack import TrainingAttack

        if problems := list(self.params.problems_in(trainer.hyper_params, "callbacks")):
            raise ParameterError(*problems)
        if launched_ranks().size > 1:
            raise ParameterError(
                f"The callback 'attack' works in a single process, but there are "
                f"{launched_ranks().size}. Leave it out of callbacks, and attack the finished run "
                f"with: {typed('attack')} RUN"
            )
        if sum(isinstance(each, Attack) for each in trainer.callbacks) > 1:
            raise ParameterError(
                "The callback 'attack' is given twice, and both would log their metrics under the "
                "same names. Keep one of them in callbacks, or attack the finished run with: "
                f"{typed('attack')} RUN"
            )
        self._attack = TrainingAttack(cast("TensorDictRlTrainer", trainer), self.params)
        _ = self._attack.threats

    def metric_names(self, trainer: Trainer) -> Collection[str]:
        """Return the names of the metrics of an attack."""
        return () if self._attack is None else self._attack.metric_names()

    def measure(self, context: TrainingContext) -> Mapping[str, float]:
        """Attack if it is due, unless training has stopped."""
        is_due = (context.iteration + 1) % self.params.every == 0
        if self._attack is None or not is_due or context.stop_reason is not None:
            return {}
        metrics = self._attack.metrics()
        if self._attack.too_large is not None and not self._has_warned:
            self._has_warned = True
            self._report_missing(self._attack.too_large, context)
        return metrics

    def _report_missing(self, reason: str, context: TrainingContext) -> None:
        from nip.robustness.training_attack import BEST

        message = f"There is no {BEST}. {reason} It is the option max_states of attack."
        if any(BEST in callback.monitored for callback in context.trainer.callbacks):
            raise ParameterError(f"{message} Or monitor attack_accuracy.")
        warn_user(f"{message} With search=False, this warning is not given.")
