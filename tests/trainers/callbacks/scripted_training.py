"""A trainer that only plays a script, to see what a callback makes of it."""

from types import SimpleNamespace

from nip.run_store import RunHistory
from nip.trainers.core.context import TrainingContext


class ScriptedTraining:
    """Tells one callback what trainers tell theirs, in the same order.

    ``folder`` becomes that of the run, ``history`` is what earlier starts logged, and ``done`` is
    the number of iterations that they finished.
    """

    trainer_type = "rl"

    def __init__(
        self,
        callback,
        folder=None,
        *,
        history=None,
        done=0,
        data="tensordict",
        agents=None,
        callbacks=(),
    ):
        self.callback, self.callbacks = callback, [callback, *callbacks]
        self.data, self.agents = data, agents
        self.run = None if folder is None else SimpleNamespace(folder=folder)
        self.history = RunHistory() if history is None else history
        self.hyper_params = SimpleNamespace(
            seed=0,
            trainer="vanilla_ppo" if data == "tensordict" else "pure_text_ei",
            eval_every=1,
            rl=SimpleNamespace(num_iterations=100),
            get={"rl.num_iterations": 100}.__getitem__,
            text_rl=SimpleNamespace(save_transcripts=False),
            to_dict=lambda: {"seed": 0, "rl": {"lr": 0.1}},
        )
        self.context = TrainingContext(trainer=self, iteration=done)
        callback.check(self)
        callback.on_train_start(self.context)

    def log(self, iteration, metrics):
        self.history.update(iteration, metrics)
        self.context.metrics, self.context.metrics_iteration = dict(metrics), iteration
        self.callback.on_log(self.context)

    def iterate(self, *logged, learn=lambda: None):
        """Play an iteration that learns and logs these metrics, one after the other."""
        self.callback.on_iteration_start(self.context)
        learn()
        for metrics in logged:
            self.log(self.context.iteration + 1, metrics)
        self.callback.on_iteration_end(self.context)
        self.context.iteration += 1
        self.callback.on_checkpoint(self.context)

    def end(self):
        self.callback.on_train_end(self.context)


def scripted_history(*rows):
    """Return a history in which these metrics were logged at iterations 1, 2 and so on."""
    history = RunHistory()
    for iteration, metrics in enumerate(rows, 1):
        history.update(iteration, metrics)
    return history
