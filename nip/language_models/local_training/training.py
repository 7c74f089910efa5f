"""Training of one job, from its request to the folder of the new model.

The loop is our own rather than TRL's, whose losses it reproduces, because checkpoints of TRL's
trainers contain pickles, which this package never reads. For policy gradients there is another
reason: TRL's ``GRPOTrainer`` samples the responses itself, to single prompts and with rewards that
depend on nothing but prompt and response, while here they come from dialogues with other agents.
"""

import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nip.errors import NipError
from nip.language_models.errors import FineTuningDatasetError
from nip.language_models.local_training.batches import Schedule, parts_of
from nip.language_models.local_training.checkpoints import (
    CheckpointTimer,
    Progress,
    load_optimizer_tensors,
    load_progress,
    optimizer_tensors,
    save_progress,
)
from nip.language_models.local_training.events import EventLog, LossLog
from nip.language_models.local_training.examples import (
    Example,
    preference_examples,
    read_lines,
    response_example,
    supervised_example,
)
from nip.language_models.local_training.job_folder import (
    MODEL_FOLDER,
    OPTIMIZER_FOLDER,
    JobFolder,
    JobStatus,
    TrainingRequest,
    forget_earlier_states,
)
from nip.language_models.local_training.learner import (
    Learner,
    build_learner,
    open_fixed_model,
)
from nip.language_models.local_training.learning_rate import learning_rate, peak_learning_rate
from nip.language_models.local_training.objectives import (
    Imitation,
    Objective,
    OpenModel,
    Preference,
)
from nip.language_models.local_training.policy_gradient import PolicyGradient, Response
from nip.language_models.local_training.processes import Processes, choose_device, choose_dtype
from nip.seeding import stable_seed

_UPDATES_PER_READING = {"cpu": 1, "cuda": 10}
_OPTIMIZER_FILE = "optimizer.safetensors"
# Beginnings of messages with which PyTorch reports a lack of memory in exceptions of other types.
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


class Training:
    """A job in training.

    Everything random depends on the seed of the request and on the number of the update, so that a
    job that continues from a checkpoint gives the same weights as one that was never interrupted.

    Parameters
    ----------
    job : JobFolder
        The job.
    after_update : Callable[[int], None]
        Called with the number of updates done, after each.
    """

    def __init__(
        self, job: JobFolder, after_update: Callable[[int], None] = lambda _: None
    ) -> None:
        import torch

        self._job = job
        self._request = request = job.request()
        self._options = options = request.options
        self._after_update = after_update
        torch.set_num_threads(request.num_threads)
        device = choose_device(options["device"])
        dtype = choose_dtype(options["dtype"], device)
        self._processes = processes = Processes(device, dtype)
        # New adapters are drawn from the global generator of PyTorch.
        torch.manual_seed(stable_seed(request.seed, "adapter"))
        self._learner = build_learner(request, processes.device, dtype)
        open_model = partial(
            open_fixed_model, self._learner, request, device=processes.device, dtype=dtype
        )
        self._objective, self._num_left_out = _read_objective(request, self._learner, open_model)
        with processes.precision():
            self._objective.prepare(self._learner.model, processes.device)
        self._parameters = {
            name: parameter
            for name, parameter in self._learner.model.named_parameters()
            if parameter.requires_grad
        }
        self._names = {id(parameter): name for name, parameter in self._parameters.items()}
        self._peak = peak_learning_rate(options, request.method, request.learning_rate_multiplier)
        self._optimizer = _build_optimizer(self._parameters, options, self._peak)
        self._schedule = Schedule(
            self._objective.num_examples, request.batch_size, request.n_epochs, request.seed
        )
        self._model = processes.share(self._learner.model)
        self._model.train()

    def run(self) -> JobStatus:
        """Train to the end, write the results, and return the final status."""
        progress = self._restore()
        events = self._job.events_file if self._processes.rank == 0 else None
        with EventLog(events, progress.num_events) as self._log:
            if not progress.updates:
                self._log.message(self._describe())
            self._losses = LossLog(
                self._log,
                self._schedule.num_updates,
                _UPDATES_PER_READING["cuda" if "cuda" in str(self._processes.device) else "cpu"],
            )
            self._timer = CheckpointTimer(self._options["checkpoint_minutes"])
            progress = self._train(progress)
            self._losses.read()
            if self._processes.rank == 0:
                self._publish()
            self._log.message(f"The model is complete after {progress.updates} updates.")
        self._processes.wait()
        return JobStatus("succeeded", trained_tokens=progress.trained_tokens)

    def _train(self, progress: Progress) -> Progress:
        per_epoch = self._schedule.updates_per_epoch
        for epoch in range(progress.updates // per_epoch, self._schedule.n_epochs):
            batches = self._schedule.epoch(epoch)
            for batch in batches[progress.updates - epoch * per_epoch :]:
                self._update(progress.updates, batch)
                progress = replace(
                    progress,
                    updates=progress.updates + 1,
                    trained_tokens=progress.trained_tokens + self._objective.num_tokens(batch),
                )
                if self._timer.is_due() and self._processes.rank == 0:
                    self._save(progress)
                self._after_update(progress.updates)
        return progress

    def _update(self, number: int, batch: list[int]) -> None:
        """Learn from one batch; ``number`` counts from 0."""
        import torch

        processes, options = self._processes, self._options
        torch.manual_seed(stable_seed(self._request.seed, "update", number, processes.rank))
        rate = learning_rate(
            number,
            self._schedule.num_updates,
            self._peak,
            schedule=options["lr_schedule"],
            warmup_share=options["warmup_share"],
        )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss, measures = self._add_gradients(batch)
        if options["max_grad_norm"] is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters.values(), options["max_grad_norm"])
        self._optimizer.step()
        self._optimizer.zero_grad()
        tokens = self._objective.num_tokens(batch)
        self._losses.add(number + 1, loss, {"learning_rate": rate, "tokens": tokens, **measures})

    def _add_gradients(self, batch: list[int]) -> tuple[Any, dict[str, Any]]:
        """Add the gradients of a batch; return its loss, and further means."""
        processes = self._processes
        wanted: int = self._options["gradient_accumulation_steps"]
        num_parts = max(1, min(wanted, -(-len(batch) // processes.size)))
        weight = self._objective.weight(batch)
        total: Any = 0.0
        measures: dict[str, Any] = {}
        for part in parts_of(batch, processes.rank, processes.size, num_parts):
            with processes.precision():
                # Each process has equally many parts, because each waits for the others; a process
                # without examples takes one that does not count.
                loss = self._objective.loss(self._model, part or batch[:1], processes.device)
            factor = (1.0 if part else 0.0) / weight
            loss = loss * factor
            for name, value in self._objective.measures().items():
                measures[name] = measures.get(name, 0.0) + factor * value
            # Gradients are means over the processes, and should be sums.
            (loss * processes.size).backward()
            total = total + loss.detach()
        return processes.total(total), {
            name: processes.total(value) for name, value in measures.items()
        }

    def _save(self, progress: Progress) -> None:
        started = time.monotonic()
        self._losses.read()
        # Events that the checkpoint counts must not be lost with the process.
        self._log.flush()
        progress = replace(progress, num_events=self._log.num_events)
        tensors = {
            "parameters": {name: each.detach() for name, each in self._parameters.items()},
            "optimizer": optimizer_tensors(self._optimizer, self._names),
        }
        save_progress(self._job.checkpoints, progress, tensors)
        self._timer.written(time.monotonic() - started)

    def _restore(self) -> Progress:
        """Continue from the last checkpoint, or from the optimizer of the previous job."""
        import torch

        stored = load_progress(self._job.checkpoints)
        if stored is None:
            self._take_over_optimizer()
            return Progress()
        progress, tensors = stored
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(tensors["parameters"][name])
        load_optimizer_tensors(self._optimizer, self._names, tensors["optimizer"])
        return progress

    def _take_over_optimizer(self) -> None:
        """Restore the optimizer's state at the end of the job that made the base model."""
        from safetensors.torch import load_file

        path = previous_optimizer(self._request) / _OPTIMIZER_FILE
        if not self._options["keep_optimizer_state"] or not path.is_file():
            return
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
        load_optimizer_tensors(self._optimizer, self._names, tensors)

    def _publish(self) -> None:
        """Write the optimizer's state and the model."""
        from safetensors.torch import save_file

        if self._options["keep_optimizer_state"]:
            self._job.optimizer.mkdir(exist_ok=True)
            state = optimizer_tensors(self._optimizer, self._names)
            path = self._job.optimizer / _OPTIMIZER_FILE
            save_file(
                {name: each.detach().cpu().contiguous() for name, each in state.items()}, path
            )
        self._learner.save(self._job.model)

    def _describe(self) -> str:
        number = self._objective.num_examples
        text = (
            f"Training on {number} examples in {self._schedule.num_updates} updates: "
            f"{sum(each.numel() for each in self._parameters.values()):,} weights, "
            f"learning rate {self._peak:g}."
        )
        if self._num_left_out:
            text += f" {self._num_left_out} examples are too long and left out."
        return text


def previous_optimizer(request: TrainingRequest) -> Path:
    """Return the folder of the optimizer's state of the job that made the base model."""
    folder = Path(request.base_model)
    return folder.with_name(OPTIMIZER_FOLDER) if folder.name == MODEL_FOLDER else folder / "none"


def _read_objective(
    request: TrainingRequest, learner: Learner, open_model: OpenModel
) -> tuple[Objective, int]:
    """Read the dataset; return its objective, and the number of examples that are too long."""
    lines = read_lines(Path(request.dataset))
    limits = (request.options["max_length"], learner.context_length)
    limit = min((each for each in limits if each is not None), default=None)

    def fits(*examples: Example) -> bool:
        return limit is None or all(len(each.tokens) <= limit for each in examples)

    objective: Objective
    if request.method == "supervised":
        learns_prompt = request.options["loss_on"] == "conversation"
        examples = [
            supervised_example(learner.tokenizer, line, learns_prompt=learns_prompt)
            for line in lines
        ]
        kept = [each for each in examples if fits(each)]
        objective = Imitation(kept)
    elif request.method == "policy_gradient":
        responses = [
            Response(
                response_example(learner.tokenizer, line),
                line["advantage"],
                line["temperature"],
                line["policy"],
            )
            for line in lines
        ]
        # A response that was cut before its first token has nothing to learn.
        kept_responses = [each for each in responses if fits(each.example) and each.num_tokens]
        given = request.policy_gradient
        assert given is not None, request
        objective = PolicyGradient(kept_responses, **given, open_model=open_model)
    else:
        pairs = [preference_examples(learner.tokenizer, line) for line in lines]
        kept_pairs = [pair for pair in pairs if fits(*pair)]
        objective = Preference(
            kept_pairs,
            request.beta,
            open_model=open_model,
            reference_model=request.reference_model,
            # Requests of earlier versions do not have the option.
            rpo_alpha=request.options.get("rpo_alpha", 0.0),
        )
    if not objective.num_examples:
        raise FineTuningDatasetError(
            f"None of the {len(lines)} examples has at most {limit} tokens. Raise "
            "local_training.max_length, or use a model with a longer context."
        )
    return objective, len(lines) - objective.num_examples


def _build_optimizer(parameters: dict[str, Any], options: Any, peak: float) -> Any:
    """Return AdamW; biases and the scales of norms do not decay."""
    import torch

    decay = options["weight_decay"]
    groups = [
        {"params": [each for each in parameters.values() if each.ndim >= 2], "weight_decay": decay},
        {"params": [each for each in parameters.values() if each.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=peak,
        betas=(0.9, options["adam_beta2"]),
        # One kernel for all parameters; a loop over small ones takes longer than their model.
        fused=True,
    )


def run_job(job: JobFolder) -> None:
    """Train a job in this process, and write its final status."""
    job.status = JobStatus("running")
    try:
        job.status = Training(job).run()
        # Not before: a job that is killed between publishing and its final status continues from
        # its checkpoint, or from the earlier optimizer.
        forget_earlier_states(job)
    except Exception as error:
        job.status = JobStatus("failed", reason_of(error))
        if not isinstance(error, NipError):
            # For the log of the job.
            importlib.import_module("traceback").print_exc(file=sys.stderr)
    job.forget_progress()


def reason_of(error: Exception) -> str:
    """Describe why a job has failed."""
    text = str(error)
    if isinstance(error, MemoryError) or any(word in text for word in _MEMORY_WORDS):
        return (
            f"The memory of the device is too small: {text.splitlines()[0] if text else 'no more'} "
            "Raise local_training.gradient_accumulation_steps, set gradient_checkpointing=true or "
            "adaptation=lora, or lower local_training.max_length."
        )
    if isinstance(error, NipError):
        return text
    return f"{type(error).__name__}: {text}"
