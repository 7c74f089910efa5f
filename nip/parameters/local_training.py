"""Parameters of fine-tuning jobs on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Lt

from nip.errors import shown
from nip.parameters.fields.outside_names import PLAIN_TEXT
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.specs import trainer_specs
from nip.parameters.types import Count, Minutes, NonNegative, Positive, Probability

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


def _forgets_the_optimizer(_: SubParameters, hyper_params: HyperParameters) -> bool:
    """Return whether every model that learns starts each fine-tuning from its base model."""
    if trainer_specs[hyper_params.trainer].continues_models:
        return False
    return all(
        getattr(agent, "fine_tune_from_scratch", True) or getattr(agent, "freeze_agent", True)
        for agent in hyper_params.agents.values()
    )


@register_parameter_class
@dataclass
class LocalTrainingParameters(SubParameters):
    """Fine-tuning of local models, with ``fine_tuning.backend=local``."""

    adaptation: Literal["lora", "full"] = "lora"
    """Train a low-rank adapter (Hu et al., 2021), or all weights."""

    lora_rank: Count = 16
    """Rank of the adapter's matrices."""

    lora_alpha: Positive = 32.0
    """Scale of the adapter: its product is multiplied by ``lora_alpha / lora_rank``."""

    lora_dropout: Probability = 0.0
    """Share of an adapter's inputs that are dropped in training."""

    lora_target_modules: Annotated[tuple[str, ...], PLAIN_TEXT] = ()
    """Names of the layers with an adapter, such as ``q_proj``; none: all linear layers."""

    learning_rate: Positive | None = None
    """Peak rate; None: 2e-4 with ``lora``, 2e-5 with ``full``; for DPO and GRPO a twentieth."""

    lr_schedule: Literal["constant", "linear", "cosine"] = "linear"
    """How the learning rate falls after the warm-up: not at all, or to 0 in the last update."""

    warmup_share: Probability = 0.03
    """Share of the updates in which the learning rate rises from 0."""

    weight_decay: NonNegative = 0.0
    """Weight decay of AdamW (Loshchilov and Hutter, 2019)."""

    adam_beta2: Annotated[float, Ge(0.0), Lt(1.0)] = 0.999
    """Decay of the mean of squared gradients in AdamW."""

    max_grad_norm: Positive | None = 1.0
    """Maximum of the gradient norm; None: no clipping."""

    max_length: Count | None = None
    """Tokens of the longest example, longer ones are left out; None: the model's context."""

    gradient_accumulation_steps: Count = 1
    """Parts into which a batch is divided so that it fits into the memory."""

    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass, which takes less memory and more time."""

    loss_on: Literal["last_message", "conversation"] = "last_message"
    """Tokens that supervised jobs learn: those of the assistant's last message, or all."""

    dpo_reference: Literal["latest", "base"] = "latest"
    """DPO: reference of the KL penalty: the model that a job starts from, or its base model."""

    rpo_alpha: NonNegative = 0.0
    """DPO: weight of the cross-entropy of the preferred answer in the loss (Pang et al., 2024)."""

    keep_optimizer_state: bool = False
    """Start with the optimizer's moments at the end of the model's previous fine-tuning."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the computation; ``auto``: bfloat16 on a GPU, otherwise float32."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where jobs run; ``auto``: on the GPU if there is one."""

    num_processes: Count = 1
    """Processes of a job, one per GPU; more than 1 are started by ``accelerate launch``."""

    checkpoint_minutes: Minutes | None = None
    """Minutes between checkpoints of a job; None: as often as takes 5 % of the time."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("lora_rank", "lora_alpha", "lora_dropout", "lora_target_modules"),
            "unless local_training.adaptation='lora'",
            lambda local, _: local.adaptation == "full",
        ),
        UnusedOptionRule(
            ("dpo_reference", "rpo_alpha"),
            "unless the trainer learns from preferences (DPO)",
            lambda _, hyper_params: trainer_specs[hyper_params.trainer].fine_tuning_method != "dpo",
        ),
        UnusedOptionRule(
            ("keep_optimizer_state", "dpo_reference"),
            "unless an agent that learns starts each fine-tuning from its present model",
            _forgets_the_optimizer,
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require names of layers that are not empty."""
        for name in self.lora_target_modules:
            if not name.strip():
                yield (
                    f"{at('lora_target_modules')} must name layers, such as q_proj, got "
                    f"{shown(name)}. Leave the option out to adapt all linear layers."
                )
