"""A language model with about 100,000 random weights, made on the spot."""

from pathlib import Path
from typing import Any

import pytest

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# As of models that know no system messages and want roles to alternate.
STRICT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}<|assistant|>"
)
LINES = [
    "You are a verifier. Is the solution correct?",
    "Decision: accept",
    "Decision: reject",
    "def add(a, b): return a + b",
    "The loop runs from 1 to n, so the last number is left out.",
]


def make_tokenizer(chat_template: str | None = TEMPLATE) -> Any:
    """Train a byte-level tokenizer on a few lines."""
    transformers = pytest.importorskip("transformers", reason="the extra lm-local is missing")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
    fast.chat_template = chat_template
    return fast


def make_model(folder: Path, chat_template: str | None = TEMPLATE) -> Path:
    """Write a folder with a random Llama and its tokenizer."""
    transformers = pytest.importorskip("transformers", reason="the extra lm-local is missing")
    import torch

    tokenizer = make_tokenizer(chat_template)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=160,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        # Far enough from uniform that the prompt makes a difference.
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.LlamaForCausalLM(config)
    # Suggestions that the provider does not follow.
    model.generation_config.repetition_penalty = 5.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
