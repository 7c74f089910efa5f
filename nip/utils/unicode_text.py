"""Repair of strings that cannot be encoded as UTF-8."""


def valid_unicode(text: str) -> str:
    """Replace surrogates, which JSON allows and UTF-8 cannot encode.

    A pair of surrogates becomes the character it encodes, a lone one U+FFFD.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
