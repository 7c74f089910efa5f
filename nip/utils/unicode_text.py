"""Texts from elsewhere, made such that files and databases take them."""


def valid_unicode(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON may hold and UTF-8 cannot.

    Two halves that belong together become their character, others U+FFFD.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
