"""Files of examples have the formats that services document, checked on files of whole runs.

Sources: ``openai.types.chat`` of the OpenAI SDK for messages; the guides of OpenAI ("Direct
preference optimization") and of Together ("Data preparation", "Preference fine-tuning") for lines.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletionAssistantMessageParam, ChatCompletionMessageParam
from pydantic import TypeAdapter

from nip.errors import NipWarning
from nip.language_models.fine_tuning import Preference, preference_dataset
from tests.text_experiments import run_text_experiment

MESSAGES = TypeAdapter(list[ChatCompletionMessageParam])
ANSWERS = TypeAdapter(list[ChatCompletionAssistantMessageParam])

OPENAI_EXAMPLE = {
    "input": {
        "messages": [
            {"role": "user", "content": "Hello, can you tell me how cold San Francisco is today?"}
        ],
        "tools": [],
        "parallel_tool_calls": True,
    },
    "preferred_output": [
        {
            "role": "assistant",
            "content": "Today in San Francisco, it is not quite cold as expected.",
        }
    ],
    "non_preferred_output": [
        {"role": "assistant", "content": "It is not particularly cold in San Francisco today."}
    ],
}
"""The example in OpenAI's guide; ``tools`` and ``parallel_tool_calls`` are optional."""


def check_messages(messages: list[dict[str, str]]) -> None:
    """Check what the SDK types, and that roles alternate after a system message, as at Together."""
    MESSAGES.validate_python(messages)
    assert all(set(message) == {"role", "content"} for message in messages)
    assert all(message["content"].strip() for message in messages)
    roles = [message["role"] for message in messages]
    spoken = roles[1:] if roles[0] == "system" else roles
    assert spoken == [("user", "assistant")[index % 2] for index in range(len(spoken))]


def check_preference(line: dict[str, Any]) -> None:
    assert set(line) == {"input", "preferred_output", "non_preferred_output"}
    assert set(line["input"]) == {"messages"}
    check_messages(line["input"]["messages"])
    assert line["input"]["messages"][-1]["role"] == "user"
    for name in ("preferred_output", "non_preferred_output"):
        (answer,) = ANSWERS.validate_python(line[name])
        assert set(answer) == {"role", "content"} and str(answer["content"]).strip()


def test_the_example_of_the_guide_is_built_as_it_stands_there() -> None:
    example = json.loads(json.dumps(OPENAI_EXAMPLE))
    dataset = preference_dataset(
        [
            Preference(
                example["input"]["messages"],
                example["preferred_output"][0]["content"],
                example["non_preferred_output"][0]["content"],
            )
        ]
    )
    del example["input"]["tools"], example["input"]["parallel_tool_calls"]
    assert json.loads(dataset.content) == example
    check_preference(example)


@pytest.mark.parametrize(
    ("trainer", "protocol"),
    [("pure_text_ei", "nip"), ("pure_text_malt", "debate")],
)
def test_files_of_a_run_have_the_documented_formats(
    trainer: str, protocol: str, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        # Groups with too few examples are skipped.
        warnings.simplefilter("ignore", NipWarning)
        run_text_experiment(
            tmp_path,
            "run",
            trainer=trainer,
            interaction_protocol=protocol,
            text_rl={"test_scheme": "none"},
        )
    files = sorted((tmp_path / "run" / "fine_tuning").iterdir())
    lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    assert len(lines) >= 10
    for line in lines:
        if trainer == "pure_text_malt":
            check_preference(line)
        else:
            assert set(line) == {"messages"}
            check_messages(line["messages"])
            assert line["messages"][-1]["role"] == "assistant"
