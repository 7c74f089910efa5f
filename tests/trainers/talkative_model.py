"""A scripted model of three words."""

from nip.language_models.errors import ContentFilterError, QuotaError


def answer(messages, sampling) -> str:
    """Answer with three words; fail where the question says so."""
    question = messages[-1]["content"]
    if "refused" in question:
        raise ContentFilterError("This is not talked about.")
    if "locked" in question:
        raise QuotaError("The account is empty.")
    return f"answer to {question}"
