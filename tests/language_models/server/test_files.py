"""Files, as the official client sees them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import BadRequestError, NotFoundError

from nip.language_models.server.errors import ApiError
from nip.language_models.server.form_data import read_form
from tests.language_models.server.clients import use
from tests.language_models.server.training_data import upload


def test_a_file_comes_back_as_it_was_and_can_be_deleted() -> None:
    content = bytes(range(256)) + b"\r\n--no boundary\r\n"

    async def work(client, endpoint):
        file = await upload(client, content, "größe.jsonl")
        assert (file.filename, file.bytes, file.purpose) == ("größe.jsonl", 273, "fine-tune")
        assert (await client.files.retrieve(file.id)) == file
        assert (await client.files.content(file.id)).content == content
        assert (await client.files.delete(file.id)).deleted
        with pytest.raises(NotFoundError, match=file.id):
            await client.files.retrieve(file.id)
        another = await upload(client, b"other")
        assert another.id != file.id
        return endpoint.counters().uploads

    uploads = use(work)
    assert uploads == {hashlib.sha256(each).hexdigest(): 1 for each in (content, b"other")}


def test_pages_hold_every_file_once_and_the_newest_first() -> None:
    async def work(client, endpoint):
        made = [(await upload(client, f"{n}".encode())).id for n in range(5)]
        await client.files.create(file=("image.png", b"png"), purpose="vision")
        listed = [file.id async for file in client.files.list(limit=2, purpose="fine-tune")]
        ascending = [file.id async for file in client.files.list(limit=2, order="asc")]
        return made, listed, ascending

    made, listed, ascending = use(work)
    assert listed == made[::-1]
    assert ascending[:5] == made and len(ascending) == 6


def test_a_page_begins_after_a_file_that_is_there() -> None:
    async def work(client, endpoint):
        with pytest.raises(BadRequestError, match="file-7"):
            await client.files.list(after="file-7")
        with pytest.raises(BadRequestError, match="limit"):
            await client.files.list(limit=0)

    use(work)


def test_equal_uploads_are_two_files_and_counted() -> None:
    async def work(client, endpoint):
        ids = {(await upload(client)).id for _ in range(3)}
        return ids, endpoint.counters().uploads

    ids, uploads = use(work)
    assert len(ids) == 3 and list(uploads.values()) == [3]


@given(st.binary(), st.binary())
def test_forms_of_any_content_are_taken_apart(first: bytes, second: bytes) -> None:
    # RFC 7578: a delimiter must not occur in the content.
    line = b"--b0undary"
    body = b""
    for name, content in (("purpose", first), ('file"; filename="a b.jsonl', second)):
        head = f'Content-Disposition: form-data; name="{name}"\r\n'.encode()
        body += line + b"\r\n" + head + b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n"
    form = read_form("multipart/form-data; boundary=b0undary", body + line + b"--\r\n")
    assert form["purpose"].content == first and form["purpose"].file_name is None
    assert form["file"].content == second and form["file"].file_name == "a b.jsonl"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nno name\r\n--x--"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"'),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(ApiError):
        read_form(content_type, body)
