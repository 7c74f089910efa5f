"""Small training files."""

import json


def supervised(num_examples: int = 10, word: str = "learnt") -> bytes:
    """Teach to answer `question 3` with `learnt 3`."""
    lines = [
        {
            "messages": [
                {"role": "user", "content": f"question {number}"},
                {"role": "assistant", "content": f"{word} {number}"},
            ]
        }
        for number in range(num_examples)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def preference(num_examples: int = 10) -> bytes:
    """Teach to prefer `good 3` over `bad 3` as an answer to `question 3`."""

    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    lines = [
        {
            "input": {"messages": [{"role": "user", "content": f"question {number}"}]},
            "preferred_output": said(f"good {number}"),
            "non_preferred_output": said(f"bad {number}"),
        }
        for number in range(num_examples)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


async def upload(client, content: bytes | None = None, name: str = "train.jsonl"):
    """Upload a training file."""
    return await client.files.create(
        file=(name, supervised() if content is None else content), purpose="fine-tune"
    )


async def wait_for(client, job, most: int = 50):
    """Ask for a job until it is over; return it, and the statuses that were seen."""
    seen = [job.status]
    while job.status not in ("succeeded", "failed", "cancelled") and len(seen) < most:
        job = await client.fine_tuning.jobs.retrieve(job.id)
        seen.append(job.status)
    return job, seen
