"""Pretraining of tiny language models on a corpus of conversations."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.language_models.chat import ChatMessage
from nip.scenarios.quotes.tiny_models.tokenizer import make_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

NUM_RECENT = 50
"""Number of updates of the warm-up, and of those that say whether exercises are solved."""

SOLVED_LOSS = 0.02
"""Mean loss of the last updates, in nats per token, at which exercises count as solved."""

IGNORED = -100
"""Label of tokens without a loss."""


@dataclass(frozen=True)
class TinyModelOptions:
    """Size and training of a tiny model."""

    d_model: int = 64
    """Width of the residual stream."""

    num_layers: int = 2
    """Number of transformer layers."""

    num_heads: int = 4
    """Number of attention heads of a layer."""

    context_length: int = 256
    """Maximum number of tokens of a conversation."""

    max_exercise_steps: int = 1500
    """Maximum number of updates on exercises alone, which end when these are solved."""

    num_steps: int = 800
    """Number of updates on conversations and exercises after that."""

    batch_size: int = 64
    """Conversations per update."""

    lr: float = 3e-3
    """Learning rate; it falls to zero linearly in the last half of the updates on conversations."""


def pretrain(
    exercises: Sequence[list[ChatMessage]],
    conversations: Sequence[list[ChatMessage]],
    folder: Path,
    options: TinyModelOptions,
    seed: int,
    on_step: Callable[[float], None] = lambda _: None,
) -> float:
    """Train a model on the answers in a corpus, and save it with its tokenizer.

    The model is a Llama model with random initial weights. It learns the exercises alone first: to
    copy takes two layers that work together, which a small model finds late among other tasks.

    Parameters
    ----------
    exercises, conversations : sequence of list of ChatMessage
        The corpus; the loss is that of all messages of the assistant.
    folder : Path
        Folder to write.
    options : TinyModelOptions
        Size and training.
    seed : int
        Seed of weights and order.
    on_step : callable
        Called after each update with its loss.

    Returns
    -------
    loss : float
        Mean loss of the last tenth of the updates on conversations, in nats per token.
    """
    import torch

    tokenizer = make_tokenizer(options.context_length)
    generator = torch.Generator().manual_seed(seed)
    model = _make_model(tokenizer, options, seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)

    def update(batch: dict[str, Tensor], share: float) -> float:
        """Take a step with a share of the learning rate, and return the loss."""
        for group in optimizer.param_groups:
            group["lr"] = share * options.lr
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        on_step(loss.item())
        return float(loss.item())

    recent: deque[float] = deque(maxlen=NUM_RECENT)
    batches = _batches(tokenizer, exercises, options, generator)
    for step in range(options.max_exercise_steps):
        recent.append(update(next(batches), min(1.0, (step + 1) / NUM_RECENT)))
        if len(recent) == NUM_RECENT and sum(recent) / NUM_RECENT < SOLVED_LOSS:
            break
    batches = _batches(tokenizer, [*conversations, *exercises], options, generator)
    losses = [
        update(next(batches), min(1.0, 2 * (1 - step / options.num_steps)))
        for step in range(options.num_steps)
    ]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    last = losses[-max(1, len(losses) // 10) :]
    return sum(last) / len(last)


def _make_model(tokenizer: Any, options: TinyModelOptions, seed: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=options.d_model,
        intermediate_size=2 * options.d_model,
        num_hidden_layers=options.num_layers,
        num_attention_heads=options.num_heads,
        max_position_embeddings=options.context_length,
        tie_word_embeddings=True,
        # That of a fan-in of 64: the default of large models would make attention uniform.
        initializer_range=options.d_model**-0.5,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def _batches(
    tokenizer: Any,
    corpus: Sequence[list[ChatMessage]],
    options: TinyModelOptions,
    generator: Any,
) -> Iterator[dict[str, Tensor]]:
    """Yield batches without end, going round the corpus in a new order each time."""
    import torch

    encoded = tokenizer.apply_chat_template(
        list(corpus), tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    rows = [
        (
            torch.tensor(ids),
            torch.tensor([i if own else IGNORED for i, own in zip(ids, mask, strict=True)]),
        )
        for ids, mask in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    ]
    while True:
        order = torch.randperm(len(rows), generator=generator).tolist()
        for start in range(0, len(order), options.batch_size):
            chosen = [rows[index] for index in order[start : start + options.batch_size]]
            ids, labels = (list(column) for column in zip(*chosen, strict=True))
            padded = torch.nn.utils.rnn.pad_sequence(
                ids, batch_first=True, padding_value=tokenizer.pad_token_id
            )
            yield {
                "input_ids": padded,
                "attention_mask": (padded != tokenizer.pad_token_id).long(),
                "labels": torch.nn.utils.rnn.pad_sequence(
                    labels, batch_first=True, padding_value=IGNORED
                ),
            }
