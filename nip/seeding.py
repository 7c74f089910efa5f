"""Seeds derived by hashing, identical in every process and on every machine."""

import hashlib


def stable_seed(*parts: int | str) -> int:
    """Derive a seed in [0, 2^63) from parts, for example ``stable_seed(seed, "agent", name)``.

    Unlike ``hash``, the result does not vary between processes. Different parts give independent
    seeds: ``("ab", "c")`` differs from ``("a", "bc")``, and ``1`` from ``"1"``.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, int | str):
            raise TypeError(f"The parts of a seed must be integers and strings, got {part!r}.")
        text = str(part).encode()
        digest.update(f"{type(part).__name__}:{len(text)}:".encode())
        digest.update(text)
    return int.from_bytes(digest.digest()[:8], "big") >> 1
