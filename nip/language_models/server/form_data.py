"""Forms with files in them, as ``multipart/form-data`` sends them."""

from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from nip.language_models.server.errors import ApiError

_HEADERS = HeaderParser()


@dataclass(frozen=True)
class FormPart:
    """One field of a form."""

    content: bytes
    """What it holds."""

    file_name: str | None = None
    """What the file is called, if it is one."""


def read_form(content_type: str, body: bytes) -> dict[str, FormPart]:
    """Take a form apart.

    Parameters
    ----------
    content_type : str
        The header of this name, which says where one field ends.
    body : bytes
        The form.

    Raises
    ------
    ApiError
        If it is no such form.

    References
    ----------
    RFC 7578 (the form) and RFC 2046, section 5.1 (its parts).
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise ApiError(400, "The body must be a form of the type multipart/form-data.")
    delimiter = b"\r\n--" + boundary.encode()
    # The line break before a delimiter belongs to it; the first one may lack it.
    sections = (b"\r\n" + body).split(delimiter)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        raise ApiError(400, "The form is incomplete.")
    return dict(_read_section(section) for section in sections[1:-1])


def _read_section(section: bytes) -> tuple[str, FormPart]:
    head, separator, content = section.partition(b"\r\n\r\n")
    # The official client sends names of files in UTF-8.
    fields = _HEADERS.parsestr(head.decode(errors="replace").lstrip())
    name = fields.get_param("name", header="content-disposition")
    if not separator or not isinstance(name, str):
        raise ApiError(400, "A part of the form has no name.")
    return name, FormPart(content, fields.get_filename())
