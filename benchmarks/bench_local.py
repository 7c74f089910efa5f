"""Speed of local language models, relative to direct calls of the libraries.

generation  64 concurrent dialogues of three calls each: tokens per second, relative to the same
            conversations in full batches
training    updates per second of a supervised job, relative to TRL's SFTTrainer on the same data

Both with a random model of about 100,000 weights on the CPU, like the models of quotes.
It needs the extras ``lm-local`` and ``dev``.

    python benchmarks/bench_local.py --json out.json
"""

import argparse
import asyncio
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling
from nip.language_models.local_model.folder import load_folder, read_model, read_tokenizer
from nip.language_models.local_model.generation import Question, answer_together
from nip.language_models.local_training.job_folder import JobFolder, TrainingRequest
from nip.language_models.local_training.training import Training
from nip.language_models.provider_registry import ConnectionContext, build_chat_model
from nip.parameters import LocalTrainingParameters

NUM_DIALOGUES = 64
NUM_ROUNDS = 3
MAX_TOKENS = 24
NUM_EXAMPLES = 512
BATCH_SIZE = 32
REPEATS = 3
WORDS = ["claim", "quote", "ada", "bob", "has", "is", "accept", "reject", *map(str, range(10))]


def write_model(folder: Path) -> Path:
    """Write a random Llama with 2 layers of width 64, and a tokenizer of words."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|unknown|>"]
    vocabulary = {word: number for number, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<|unknown|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", unk_token="<|unknown|>"
    )
    fast.add_special_tokens({"additional_special_tokens": special[1:4]})
    fast.chat_template = (
        "{% for m in messages %}<|{{ m.role }}|> {{ m.content }} <|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    config = transformers.LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        eos_token_id=0,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def conversation(number: int) -> list[ChatMessage]:
    """Return a question of about 50 tokens."""
    words = " ".join(WORDS[(number * 7 + place * 5) % len(WORDS)] for place in range(48))
    return [ChatMessage(role="user", content=words)]


def sampling(number: int, round: int) -> Sampling:
    """Return the sampling parameters of a call."""
    return Sampling(temperature=1.0, max_tokens=MAX_TOKENS, seed=1000 * round + number)


def num_tokens(answers: list[Completion]) -> int:
    """Return the number of generated tokens."""
    return sum(each.usage.completion_tokens for each in answers)


def generate_in_dialogues(folder: Path) -> float:
    """Return tokens per second of concurrent dialogues through the provider."""

    async def play(model: Any, number: int) -> list[Completion]:
        messages, answers = conversation(number), []
        for round in range(NUM_ROUNDS):
            answer = await model.complete(messages, sampling(number, round))
            answers.append(answer)
            messages = [
                *messages,
                ChatMessage(role="assistant", content=answer.text),
                ChatMessage(role="user", content="quote"),
            ]
        return answers

    async def run() -> float:
        model = build_chat_model(ModelSpec("local", str(folder)), ConnectionContext())
        await model.complete(conversation(0), sampling(0, 0))
        start = time.perf_counter()
        answers = await asyncio.gather(*(play(model, each) for each in range(NUM_DIALOGUES)))
        seconds = time.perf_counter() - start
        await model.aclose()
        return num_tokens([answer for each in answers for answer in each]) / seconds

    return asyncio.run(run())


def generate_in_batches(folder: Path) -> float:
    """Return tokens per second of the same dialogues in full batches."""
    loaded = load_folder(folder)
    dialogues = [conversation(number) for number in range(NUM_DIALOGUES)]
    total, start = 0, time.perf_counter()
    for round in range(NUM_ROUNDS):
        questions = [
            Question(messages, sampling(number, round), lambda: True)
            for number, messages in enumerate(dialogues)
        ]
        answers = [
            each for each in answer_together(loaded, questions, "") if isinstance(each, Completion)
        ]
        assert len(answers) == NUM_DIALOGUES
        total += num_tokens(answers)
        for messages, answer in zip(dialogues, answers, strict=True):
            messages.append(ChatMessage(role="assistant", content=answer.text))
            messages.append(ChatMessage(role="user", content="quote"))
    return total / (time.perf_counter() - start)


def write_examples(path: Path) -> Path:
    """Write questions with verdicts."""
    lines = [
        {
            "messages": [
                *conversation(number),
                {"role": "assistant", "content": ("accept", "reject")[number % 2]},
            ]
        }
        for number in range(NUM_EXAMPLES)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def train_here(folder: Path, data: Path, work: Path) -> float:
    """Return updates per second of a job, without loading and publishing."""
    values = LocalTrainingParameters(adaptation="full", learning_rate=1e-3, device="cpu").to_dict()
    job = JobFolder(Path(tempfile.mkdtemp(dir=work)))
    job.create(
        TrainingRequest(
            str(folder),
            None,
            str(data),
            "supervised",
            seed=1,
            n_epochs=2,
            batch_size=BATCH_SIZE,
            options={name: value for name, value in values.items() if name != "_type"},
        )
    )
    times: list[float] = []
    Training(job, lambda _: times.append(time.perf_counter())).run()
    return (len(times) - 1) / (times[-1] - times[0])


def train_with_trl(folder: Path, data: Path, work: Path) -> float:
    """Return updates per second of TRL's trainer."""
    import datasets
    import transformers
    import trl

    times: list[float] = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    lines = [json.loads(line)["messages"] for line in data.read_text().splitlines()]
    rows = [{"prompt": each[:-1], "completion": each[-1:]} for each in lines]
    tokenizer = read_tokenizer(folder)
    tokenizer.pad_token = tokenizer.eos_token
    datasets.disable_progress_bars()
    trainer = trl.SFTTrainer(
        model=read_model(folder, "float32"),
        args=trl.SFTConfig(
            output_dir=str(work / "trl"),
            per_device_train_batch_size=BATCH_SIZE,
            num_train_epochs=2,
            learning_rate=1e-3,
            logging_steps=10,
            save_strategy="no",
            report_to="none",
            bf16=False,
            use_cpu=True,
            gradient_checkpointing=False,
            disable_tqdm=True,
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[Clock()],
    )
    trainer.train()
    return (len(times) - 1) / (times[-1] - times[0])


def ratio(measured: Callable[[], float], reference: Callable[[], float]) -> dict[str, float]:
    """Return medians of both, measured in turn, and of their ratio."""
    pairs = [(measured(), reference()) for _ in range(REPEATS)]
    own, other = (median(each) for each in zip(*pairs, strict=True))
    return {"own": own, "reference": other, "ratio": median(a / b for a, b in pairs)}


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file for the results")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folder, data = write_model(work / "model"), write_examples(work / "examples.jsonl")
        results = {
            "generation": ratio(
                lambda: generate_in_dialogues(folder), lambda: generate_in_batches(folder)
            ),
            "training": ratio(
                lambda: train_here(folder, data, work), lambda: train_with_trl(folder, data, work)
            ),
        }
    for part, found in results.items():
        unit = "tokens/s" if part == "generation" else "updates/s"
        print(
            f"{part}: {found['own']:.1f} {unit}, reference {found['reference']:.1f}, "
            f"ratio {found['ratio']:.2f}"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
