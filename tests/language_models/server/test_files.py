"""Files, as the official client sees them."""

import hashlib

import httpx2
import pytest
from openai import BadRequestError, NotFoundError

from tests.language_models.server.clients import use
from tests.language_models.server.training_data import upload


def test_a_file_is_returned_unchanged_and_can_be_deleted() -> None:
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


def test_a_page_starts_after_an_existing_file() -> None:
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


FORM = "multipart/form-data; boundary=x"
PURPOSE = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n{}\r\n'


def post(content_type: str, body: bytes) -> tuple[httpx2.Response, dict[str, int]]:
    """Send a raw body, and return the response and the counts of stored files."""

    async def work(client, endpoint):
        headers = {"content-type": content_type}
        response = await client._client.post(
            "http://endpoint/v1/files", content=body, headers=headers
        )
        return response, endpoint.counters().uploads

    return use(work)


def test_a_form_by_hand_is_accepted() -> None:
    response, uploads = post(FORM, PURPOSE + FILE + b"--x--\r\n")
    assert (response.status_code, response.json()["filename"]) == (200, "a")
    assert uploads == {hashlib.sha256(b"{}").hexdigest(): 1}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        (FORM, b""),
        (FORM, b"--x\r\n\r\nno name\r\n--x--"),
        (FORM, PURPOSE + b"--x--"),
        (FORM, FILE + b"--x--"),
        (FORM, PURPOSE + FILE.replace(b"; filename", b"; other") + b"--x--"),
    ],
)
def test_invalid_forms_are_refused_and_store_nothing(content_type: str, body: bytes) -> None:
    response, uploads = post(content_type, body)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert uploads == {}


# The form parser does not close the temporary file of an incomplete upload.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_form_that_is_cut_off_stores_nothing() -> None:
    response, uploads = post(FORM, PURPOSE + FILE[:-3])
    assert (response.status_code, uploads) == (400, {})
