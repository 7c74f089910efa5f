"""Seeds derived by hashing, identical in every process and on every machine."""

import hashlib


def stable_seed(*parts: int | str) -> int:
    """Derive a seed in [0, 2^63) from parts, for example ``stable_seed(seed, "agent", name)``.

    Unlike ``hash``, the result does not vary between processes. Different parts give independent
    seeds: ``("ab", "c")`` differs from ``("a", "bc")``, and ``1`` from ``"1"``.
    """
    encoded = []
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, int | str):
            raise TypeError(f"The parts of a seed must be integers and strings, got {part!r}.")
        text = str(part).encode()
        encoded.append(b"%b:%d:%b" % (type(part).__name__.encode(), len(text), text))
    digest = hashlib.sha256(b"".join(encoded)).digest()
    return int.from_bytes(digest[:8], "big") >> 1
