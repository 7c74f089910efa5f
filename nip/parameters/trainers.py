"""Parameters of the trainers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le

from nip.parameters.fields.outside_names import NamesOutside
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.protocols import num_rounds
from nip.parameters.specs import trainer_specs
from nip.parameters.types import (
    Count,
    CountOrZero,
    CriticLossType,
    Hours,
    NonNegative,
    Positive,
    UnitInterval,
)
from nip.utils.memory_limit import MemoryNeed
from nip.utils.ranks import launched_ranks

BYTES_OF_NUMBER = 4
"""Size of a number in single precision."""

BYTES_OF_TESTED_FRAME = 8
"""Least size of what is kept of a frame until the end of a test: rewards and ends."""

BYTES_OF_DIALOGUE = 150
"""Least size of what is kept of a dialogue until the end of its iteration."""


@register_parameter_class
@dataclass
class RlParameters(SubParameters):
    """Parameters shared by all reinforcement-learning trainers."""

    frames_per_batch: Count | None = 1000
    """Environment steps per iteration; None: derived from ``rollouts_per_iteration``."""

    rollouts_per_iteration: Count | None = None
    """Rollouts per iteration if ``frames_per_batch`` is None; None: one for each datapoint."""

    steps_per_env_per_iteration: Count | None = None
    """Steps of each environment per iteration; None: the number of rounds of the protocol."""

    num_iterations: Count = 1000
    """Number of iterations, each of which samples a batch and learns from it."""

    num_epochs: Count = 4
    """Number of passes over each batch."""

    minibatch_size: Count = 64
    """Number of frames per minibatch."""

    lr: Positive = 0.003
    """Base learning rate."""

    anneal_lr: bool = False
    """Lower the learning rate linearly, to 0 at the end of the last iteration."""

    max_grad_norm: Positive | None = 1.0
    """Maximum of the joint gradient norm of all agents; None: no clipping."""

    loss_critic_type: CriticLossType = "smooth_l1"
    """Loss of the critic: distance between its estimate and the value target."""

    clip_value: bool | Positive = False
    """Clipping range of the change of value estimates; True: ``ppo.clip_epsilon``, False: none."""

    normalize_observations: bool = True
    """Normalise observed messages to mean 0 and standard deviation 1."""

    num_normalization_steps: Count = 1000
    """Least number of random steps from which mean and deviation of messages are measured."""

    gamma: UnitInterval = 0.9
    """Discount factor γ of rewards per step."""

    lmbda: UnitInterval = 0.95
    """Parameter λ of generalised advantage estimation."""

    use_shared_body: bool = True
    """Share one body between the actor and the critic of an agent."""

    num_test_iterations: Count = 10
    """Number of batches that are sampled in a test; more if an episode may be longer."""

    greedy_test: bool = False
    """Test with the most probable actions instead of sampled ones."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("rollouts_per_iteration",),
            "unless rl.frames_per_batch=None",
            lambda rl, hyper_params: (
                rl.frames_per_batch is not None
                and trainer_specs[hyper_params.trainer].data != "text"
            ),
        ),
        UnusedOptionRule(
            ("num_normalization_steps",),
            "unless rl.normalize_observations=True",
            lambda rl, _: not rl.normalize_observations,
        ),
    )

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the sizes of a batch of frames, each with all messages so far, and of a test."""
        spec = trainer_specs[hyper_params.get("trainer")]
        count = at("rollouts_per_iteration")
        if spec.data == "text" and self.rollouts_per_iteration is not None:
            options = {count: self.rollouts_per_iteration}
            needed = BYTES_OF_DIALOGUE * self.rollouts_per_iteration
            yield MemoryNeed("the list of dialogues", options, needed)
        if not spec.samples_batches:
            return
        rounds_name, rounds = num_rounds(hyper_params)
        steps = self.steps_per_env_per_iteration or rounds
        if self.frames_per_batch is not None:
            sizes = {at("frames_per_batch"): self.frames_per_batch}
            frames = self.frames_per_batch
        else:
            sizes = {count: self.rollouts_per_iteration or 1}
            steps_name = at("steps_per_env_per_iteration") if rounds != steps else rounds_name
            sizes |= {steps_name: steps} if steps_name else {}
            frames = (self.rollouts_per_iteration or 1) * steps
        frames //= launched_ranks().size
        # A frame has at least one number for each symbol, in what was said and what is observed.
        numbers = 2 * rounds * hyper_params.get("message_size")
        options = {**sizes, "message_size": hyper_params.get("message_size")}
        options |= {rounds_name: rounds} if rounds_name else {}
        if hyper_params.get("include_linear_message_space"):
            options["d_linear_message_space"] = hyper_params.get("d_linear_message_space")
            numbers += rounds * options["message_size"] * options["d_linear_message_space"]
        yield MemoryNeed("a batch", options, BYTES_OF_NUMBER * frames * numbers, on_device=True)
        tests = {at("num_test_iterations"): self.num_test_iterations, **sizes}
        needed = BYTES_OF_TESTED_FRAME * frames * self.num_test_iterations
        yield MemoryNeed("the test", tests, needed, on_device=True)

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require that a batch can be divided into minibatches and environments."""
        frames, steps = self.frames_per_batch, self.steps_per_env_per_iteration
        if frames is not None and self.minibatch_size > frames:
            yield (
                f"{at('minibatch_size')} must be at most {at('frames_per_batch')} ({frames}), got "
                f"{self.minibatch_size}, so that there is no minibatch. Lower it, or sample "
                f"more frames."
            )
        if frames is not None and steps is not None and frames % steps:
            yield (
                f"{at('frames_per_batch')} must be a multiple of "
                f"{at('steps_per_env_per_iteration')} ({steps}), got {frames}. Choose for example "
                f"{at('frames_per_batch')}={max(frames // steps, 1) * steps}."
            )


@register_parameter_class
@dataclass
class PpoParameters(SubParameters):
    """Proximal policy optimisation (Schulman et al., 2017)."""

    loss_type: Literal["clip", "kl_penalty"] = "clip"
    """Objective: a clipped probability ratio, or a penalty on the KL divergence."""

    clip_epsilon: Positive = 0.2
    """Clipping range ε: the probability ratio is clipped to [1 - ε, 1 + ε]."""

    kl_target: Positive = 0.01
    """Target KL divergence of the penalty."""

    kl_beta: NonNegative = 1.0
    """Initial weight of the penalty."""

    kl_decrement: Annotated[float, Gt(0), Le(1)] = 0.5
    """Factor on the weight of the penalty when the divergence is too small."""

    kl_increment: Annotated[float, Ge(1)] = 2.0
    """Factor on the weight of the penalty when the divergence is too large."""

    critic_coef: NonNegative = 1.0
    """Weight of the critic loss."""

    entropy_eps: NonNegative = 0.001
    """Weight of the entropy bonus."""

    normalize_advantage: bool = True
    """Normalise each agent's advantages in each minibatch in which it has at least two turns."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("kl_target", "kl_beta", "kl_decrement", "kl_increment"),
            "unless ppo.loss_type='kl_penalty'",
            lambda ppo, _: ppo.loss_type == "clip",
        ),
        UnusedOptionRule(
            ("normalize_advantage",),
            "with rl.minibatch_size=1: a single advantage is not normalised",
            lambda _, hyper_params: hyper_params.rl.minibatch_size == 1,
        ),
    )


@register_parameter_class
@dataclass
class ReinforceParameters(SubParameters):
    """REINFORCE policy gradient (Williams, 1992)."""

    use_advantage_and_critic: bool = False
    """Weight actions by their advantage over a learnt critic instead of the reward to go."""


@register_parameter_class
@dataclass
class SoloAgentParameters(SubParameters):
    """Supervised training of each agent by itself, also used for pretraining."""

    num_epochs: Count = 100
    """Number of passes over the training data."""

    batch_size: Count = 256
    """Number of datapoints per minibatch."""

    learning_rate: Positive = 0.001
    """Base learning rate."""

    max_grad_norm: Positive | None = None
    """Maximum of the joint gradient norm of all agents; None: no clipping."""

    body_lr_factor_override: bool = False
    """Treat the learning-rate factor of the bodies as 1."""


@register_parameter_class
@dataclass
class TextRlParameters(SubParameters):
    """Parameters shared by all trainers of language models."""

    fine_tune_on_all_previous_rollouts: bool = False
    """Learn from the rollouts of all iterations so far instead of the last one."""

    verifier_guess_replacement_proportion: UnitInterval = 0.0
    """Share of the verifier's examples whose decision is replaced by the true label."""

    verifier_guess_replacement_annealing: Literal["none", "linear", "exponential"] = "none"
    """How this share decreases over the iterations."""

    verifier_guess_replacement_annealing_rate: UnitInterval = 0.1
    """Linear: decrease per iteration; exponential: the share is multiplied by 1 - rate."""

    save_transcripts: bool = True
    """Write the dialogues of each iteration to a readable file."""

    transcript_format: Literal["json", "yaml"] = "yaml"
    """Format of the transcripts."""

    test_scheme: Literal["none", "all", "last", "first_and_last"] = "none"
    """Iterations in which the agents are also tested on the test split."""

    test_on_whole_dataset: bool = True
    """Test on each question of the test split once; otherwise on as many as are trained on."""

    judge_by_first_verifier: bool | None = None
    """Let the verifier of the first iteration judge each test too; None: if the model is local."""

    warn_of_constant_verdicts: bool = True
    """Warn of a verifier that decides nearly always the same, as ``constant_verifier`` does."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("transcript_format",),
            "unless text_rl.save_transcripts=True",
            lambda text_rl, _: not text_rl.save_transcripts,
        ),
        UnusedOptionRule(
            ("test_on_whole_dataset", "judge_by_first_verifier"),
            "unless text_rl.test_scheme is other than 'none'",
            lambda text_rl, hyper_params: (
                text_rl.test_scheme == "none"
                and hyper_params.base_run.base_run_type != "rerun_tests"
            ),
        ),
        UnusedOptionRule(
            ("warn_of_constant_verdicts",),
            "with callbacks=[constant_verifier], which has options of its own",
            lambda _, hyper_params: any(
                each.name == "constant_verifier" for each in hyper_params.callbacks
            ),
        ),
        UnusedOptionRule(
            (
                "verifier_guess_replacement_annealing",
                "verifier_guess_replacement_annealing_rate",
            ),
            "unless text_rl.verifier_guess_replacement_proportion is above 0",
            lambda text_rl, _: text_rl.verifier_guess_replacement_proportion == 0,
        ),
        UnusedOptionRule(
            ("verifier_guess_replacement_annealing_rate",),
            "unless text_rl.verifier_guess_replacement_annealing is other than 'none'",
            lambda text_rl, _: text_rl.verifier_guess_replacement_annealing == "none",
        ),
    )


@dataclass
class ResponseTreeParameters(SubParameters):
    """Parameters shared by all trainers that sample trees of dialogues."""

    num_responses_per_timestep: Annotated[int, Ge(2)] = 2
    """Number k of responses at each decision point; a tree of n rounds has up to k^n dialogues."""

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the size of the first responses of all trees, in a run that samples them."""
        group = trainer_specs[hyper_params.get("trainer")].parameter_group
        if group is None or hyper_params.get(group) is not self:
            return
        num_rollouts = hyper_params.get("rl").rollouts_per_iteration or 1
        options = {at("num_responses_per_timestep"): self.num_responses_per_timestep}
        needed = BYTES_OF_DIALOGUE * self.num_responses_per_timestep * num_rollouts
        yield MemoryNeed("the list of responses", options, needed)


@register_parameter_class
@dataclass
class PureTextEiParameters(SubParameters):
    """Expert iteration (Anthony, Tian and Barber, 2017)."""

    rollout_selection_method: Literal["threshold", "weighted_sampling"] = "threshold"
    """Learn from all rollouts with a high reward, or draw rollouts weighted by their rewards."""

    reward_threshold: float = 0.9
    """Minimum reward of the rollouts that are learnt from."""

    balance_verdicts: bool = False
    """Let the verifier learn from equally many acceptances and rejections of those selected."""

    reject_weight: Positive = 1.0
    """Number of rejections for each acceptance if verdicts are balanced."""

    weighting_sample_size_factor: Positive = 0.5
    """Number of rollouts drawn, as a share of those sampled."""

    weighting_minimum: float | None = None
    """Reward at or below which the weight is 0; None: the lowest reward that occurs."""

    weighting_use_replacement: bool = True
    """Draw with replacement."""

    weighting_epsilon: NonNegative = 0.01
    """Weight that is spread evenly over all rollouts before weights are normalised again."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("reject_weight",),
            "unless pure_text_ei.balance_verdicts=True",
            lambda params, _: not params.balance_verdicts,
        ),
        UnusedOptionRule(
            ("reward_threshold",),
            "unless pure_text_ei.rollout_selection_method='threshold'",
            lambda params, _: params.rollout_selection_method == "weighted_sampling",
        ),
        UnusedOptionRule(
            (
                "weighting_sample_size_factor",
                "weighting_minimum",
                "weighting_use_replacement",
                "weighting_epsilon",
            ),
            "unless pure_text_ei.rollout_selection_method='weighted_sampling'",
            lambda params, _: params.rollout_selection_method == "threshold",
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require that enough rollouts can be drawn."""
        if not self.weighting_use_replacement and self.weighting_sample_size_factor > 1:
            yield (
                f"{at('weighting_sample_size_factor')} must be at most 1 when no rollout may be "
                f"drawn twice, got {self.weighting_sample_size_factor!r}. Lower it, or set "
                f"{at('weighting_use_replacement')}=True."
            )


@register_parameter_class
@dataclass
class FineTuningParameters(SubParameters):
    """How the models of language-model agents are fine-tuned."""

    backend: Annotated[str, NamesOutside("services that are called")] = "openai"
    """Fine-tuning backend: ``openai``, ``local``, or the name of your own."""

    n_epochs: Count | None = None
    """Passes over the examples; None: chosen by the service."""

    batch_size: Count | None = None
    """Examples per update; None: chosen by the service."""

    learning_rate_multiplier: Positive | None = None
    """Factor on the service's learning rate; None: chosen by the service."""

    learning_rate_decay: Annotated[float, Gt(0), Le(1)] = 1.0
    """Share of the factor that remains after each iteration; below 1, None counts as 1."""

    min_examples: Count = 1
    """Fewest examples of a job; with fewer, the model stays. Services may require more."""

    on_failure: Literal["retry", "skip", "stop"] = "retry"
    """When a job fails: retry, keep the old model, or stop the run."""

    num_retries: CountOrZero = 1
    """Number of retries with ``on_failure="retry"``; if all of them fail, the run stops."""

    deadline_hours: Hours = 24.0
    """Hours after which an unfinished job counts as failed."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("num_retries",),
            "unless fine_tuning.on_failure='retry'",
            lambda fine_tuning, _: fine_tuning.on_failure != "retry",
        ),
    )
