"""Import hook for modules that moved after a guide had shown their path to users."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    f"nip.{folder}.{old}": f"nip.{folder}.{new}"
    for folder, modules in {
        "language_models": {
            "cache": "engine.cache",
            "call": "engine.call",
            "engine_options": "engine.options",
            "engine_stats": "engine.stats",
            "journal": "engine.journal",
            "ledger": "costs.usage_tracker",
            "price_file": "costs.price_file",
            "prices": "costs.prices",
            "server.brains": "server.mock_models",
        },
        "parameters": {
            "hyper_parameters": "tree.hyper_parameters",
            "reference": "tree.reference",
        },
        "run_store": {
            "history": "database.history",
            "job_table": "database.job_table",
            "rollout_table": "database.rollout_table",
        },
        "scenario_base": {"text.registry": "registry"},
        "trainers": {
            "callback": "core.callback",
            "callback_registry": "core.callback_registry",
            "components": "core.components",
            "context": "core.context",
            "learner": "tensor.learning.learner",
            "learner_building": "tensor.learning.learner_building",
            "loss_terms": "tensor.learning.loss_terms",
            "lr_schedules": "tensor.learning.lr_schedules",
            "optimizers": "tensor.learning.optimizers",
            "pretrained_agents": "tensor.weights.pretrained_agents",
            "rollout_metrics": "tensor.rollout_metrics",
            "rollout_samples": "tensor.rollout_samples",
            "text_plan": "text.plan",
            "trainer": "core.trainer",
            "update_step": "tensor.learning.update_step",
        },
    }.items()
    for old, new in modules.items()
}
"""Present module of each old path."""

RENAMED: Mapping[str, Mapping[str, str]] = {
    "nip.language_models.ledger": {"Ledger": "UsageTracker"},
    "nip.language_models.server.brains": {
        "Brain": "MockModel",
        "BrainAnswer": "MockAnswer",
        "BrainRequest": "MockRequest",
        "register_brain": "register_mock_model",
    },
    "nip.scenario_base.text.registry": {
        "register_text_scenario": "register_scenario",
        "text_scenario_registry": "scenario_registry",
    },
}
"""Present names of classes and functions that were renamed when their module moved."""


class MovedModuleFinder:
    """Import a moved module under its old path, with the same classes and functions in it.

    Finder and loader at once. Not derived from ``importlib.abc``, whose import takes 10 ms.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a spec for an old path, None for any other."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python create the empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module of the old path with the names of the new one."""
        present = importlib.import_module(MOVED[module.__name__])
        names = {name: value for name, value in vars(present).items() if name[:2] != "__"}
        vars(module).update(names, __doc__=present.__doc__)
        for old, new in RENAMED.get(module.__name__, {}).items():
            setattr(module, old, names[new])


sys.meta_path.append(MovedModuleFinder())
