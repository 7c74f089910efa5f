"""What the examples promise, as functions that run in a process of their own."""

import sys
from typing import Any

from tests.doc.pages import EXAMPLES


def run_program(name: str) -> None:
    """Run an example with fewer iterations."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    for size in ("20", "40"):
        source = source.replace(f'"num_iterations": {size}', '"num_iterations": 10')
    exec(compile(source, f"{name}.py", "exec"), {"__name__": "__main__"})


def interrupted_and_straight(params: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Run an experiment in one go, and again with an interruption; return both last metrics."""
    from nip import run_experiment
    from nip.trainers.core.callback import Callback
    from nip.trainers.core.components import TrainerComponents

    class PowerCut(Callback):
        is_observer = True

        def on_iteration_end(self, context: Any) -> None:
            if context.iteration == 3:
                raise KeyboardInterrupt

    how: dict[str, Any] = {"progress": False, "checkpoint_period": 1}
    straight = run_experiment(params, run_id="straight", **how).metrics
    components = TrainerComponents(callbacks=[PowerCut()])
    try:
        run_experiment(params, run_id="broken", components=components, **how)
    except KeyboardInterrupt:
        return run_experiment(params, run_id="broken", **how).metrics, straight
    raise AssertionError("The run was not interrupted.")


def averaged_weights_resume() -> None:
    """Check that the mean of weights is what the evaluation sees, and survives an interruption."""
    sys.path.insert(0, str(EXAMPLES))
    import new_callback  # noqa: F401

    from nip import HyperParameters, run_experiment

    def params(decay: float) -> HyperParameters:
        return HyperParameters(
            scenario="toy",
            dataset="witness",
            trainer="vanilla_ppo",
            interaction_protocol="adp",
            callbacks=[{"name": "averaged_weights", "decay": decay}],
            rl={
                "num_iterations": 5,
                "frames_per_batch": 64,
                "minibatch_size": 32,
                "num_test_iterations": 1,
                "lr": 0.05,
            },
        )

    def test_metrics(metrics: dict[str, float]) -> dict[str, float]:
        return {name: value for name, value in metrics.items() if name.startswith("test_")}

    resumed, straight = interrupted_and_straight(params(0.9))
    assert resumed == straight
    without_mean = run_experiment(params(0), run_id="without_mean", progress=False).metrics
    assert test_metrics(straight) != test_metrics(without_mean)
    assert straight["loss_critic"] == without_mean["loss_critic"]


def hill_climbing_resumes() -> None:
    """Check that hill climbing ends with the same numbers after an interruption."""
    sys.path.insert(0, str(EXAMPLES))
    import new_trainer_loop  # noqa: F401

    from nip import HyperParameters

    params = HyperParameters(
        scenario="toy",
        dataset="witness",
        trainer="hill_climbing",
        interaction_protocol="adp",
        protocol_common={"shared_reward": True},
        rl={"num_iterations": 4, "frames_per_batch": 64, "num_test_iterations": 1},
    )
    resumed, straight = interrupted_and_straight(params)
    assert resumed == straight
