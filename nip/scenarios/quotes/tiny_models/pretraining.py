"""Pretraining of tiny language models on a corpus of conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.language_models.chat import ChatMessage
from nip.scenarios.quotes.tiny_models.tokenizer import make_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

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

    num_steps: int = 1800
    """Number of updates."""

    batch_size: int = 64
    """Conversations per update."""

    lr: float = 3e-3
    """Highest learning rate, after a twentieth of the updates; it falls to zero linearly."""


def pretrain(
    corpus: Sequence[list[ChatMessage]],
    folder: Path,
    options: TinyModelOptions,
    seed: int,
    on_step: Callable[[float], None] = lambda _: None,
) -> float:
    """Train a model on the answers in a corpus, and save it with its tokenizer.

    The model is a Llama model with random initial weights.

    Parameters
    ----------
    corpus : sequence of list of ChatMessage
        Conversations; the loss is that of all messages of the assistant.
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
        Mean loss of the last tenth of the updates, in nats per token.
    """
    import torch

    tokenizer = make_tokenizer(options.context_length)
    generator = torch.Generator().manual_seed(seed)
    model = _make_model(tokenizer, options, seed)
    batches = _batches(tokenizer, corpus, options, generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=0.01)
    warm_up = max(1, options.num_steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm_up, 1 - step / options.num_steps),
    )
    losses = []
    for _ in range(options.num_steps):
        loss = model(**next(batches)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        on_step(losses[-1])
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
