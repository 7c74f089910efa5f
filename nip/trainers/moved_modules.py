"""Old paths of modules that our guides showed, and where they are now."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    f"nip.trainers.{old}": f"nip.trainers.{new}"
    for old, new in {
        "callback": "core.callback",
        "callback_registry": "core.callback_registry",
        "components": "core.components",
        "context": "core.context",
        "learner": "tensor.learning.learner",
        "learner_building": "tensor.learning.learner_building",
        "loss_terms": "tensor.learning.loss_terms",
        "lr_schedules": "tensor.learning.lr_schedules",
        "optimizers": "tensor.learning.optimizers",
        "rollout_metrics": "tensor.rollout_metrics",
        "rollout_samples": "tensor.rollout_samples",
        "trainer": "core.trainer",
        "update_step": "tensor.learning.update_step",
    }.items()
}


class MovedModuleFinder(MetaPathFinder, Loader):
    """Import a moved module under its old path, with the same classes and functions in it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a spec for an old path, None for any other."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module of the old path with the names of the new one."""
        present = importlib.import_module(MOVED[module.__name__])
        names = {name: value for name, value in vars(present).items() if name[:2] != "__"}
        vars(module).update(names, __doc__=present.__doc__)


sys.meta_path.append(MovedModuleFinder())
