"""The routes under ``/v1/files``: upload, list, download and delete training files."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.language_models.server.endpoint import Endpoint
from nip.language_models.server.errors import ApiError, invalid, server_error
from nip.language_models.server.json_io import page_of
from nip.language_models.server.tables import UPLOADS, StoredFile
from nip.utils.unicode_text import valid_unicode

MAX_FILES_PER_PAGE = 10000

MAX_STORED = 4 * 2**30
"""Maximum size of all files together in bytes."""


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    """Parse the form of a request; raise ``ApiError`` if its names cannot be decoded."""
    try:
        form = await request.form()
    except UnicodeError as error:
        raise invalid("file", f"The form cannot be decoded: {error}.") from error
    try:
        yield form
    finally:
        await form.close()


async def upload_file(request: Request) -> Response:
    """Handle ``POST /v1/files``, a form with the fields ``file`` and ``purpose``."""
    endpoint: Endpoint = request.app.state.endpoint
    async with _form(request) as form:
        file, purpose = form.get("file"), form.get("purpose")
        if not isinstance(file, UploadFile) or file.filename is None:
            raise invalid("file", "The form must contain a file in the field file.")
        if not isinstance(purpose, str) or not purpose:
            raise invalid("purpose", "The form must contain a purpose, for example fine-tune.")
        name, content = valid_unicode(file.filename), await file.read()
        purpose = valid_unicode(purpose)
    digest = hashlib.sha256(b"\0".join((name.encode(), purpose.encode(), content))).digest()
    fault = endpoint.choose_fault("upload", digest)

    def store() -> Response:
        if endpoint.state.files.num_bytes() + len(content) > MAX_STORED:
            raise ApiError(
                413,
                f"All files together may have {MAX_STORED} bytes. Delete those not needed.",
            )
        with endpoint.state.transaction():
            stored = endpoint.state.files.add(name, purpose, content)
            endpoint.state.counters.increment(UPLOADS, stored.sha256)
        if fault is not None and fault.name == "upload_lost":
            raise server_error()
        return JSONResponse(stored.to_dict())

    return await endpoint.respond(fault, store)


async def list_files(request: Request) -> Response:
    """Handle ``GET /v1/files``; newest first unless ``order=asc``."""
    endpoint: Endpoint = request.app.state.endpoint
    query = request.query_params

    def list_matching() -> Response:
        files = [
            file
            for file in endpoint.state.files.all()
            if query.get("purpose") in (None, file.purpose)
        ]
        return page_of(
            files if query.get("order") == "asc" else files[::-1],
            query,
            default_limit=MAX_FILES_PER_PAGE,
            max_limit=MAX_FILES_PER_PAGE,
            id_of=lambda file: file.id,
            show=StoredFile.to_dict,
        )

    return await endpoint.respond_to_read(request, list_matching)


async def get_file(request: Request) -> Response:
    """Handle ``GET /v1/files/ID``."""
    endpoint: Endpoint = request.app.state.endpoint
    return await endpoint.respond_to_read(request, lambda: JSONResponse(_find(request).to_dict()))


async def get_content(request: Request) -> Response:
    """Handle ``GET /v1/files/ID/content``."""
    endpoint: Endpoint = request.app.state.endpoint

    def read() -> Response:
        content = endpoint.state.files.content(_find(request))
        return Response(content, media_type="application/octet-stream")

    return await endpoint.respond_to_read(request, read)


async def delete_file(request: Request) -> Response:
    """Handle ``DELETE /v1/files/ID``."""
    endpoint: Endpoint = request.app.state.endpoint

    def delete() -> Response:
        file = _find(request)
        endpoint.state.files.delete(file)
        return JSONResponse({"id": file.id, "object": "file", "deleted": True})

    return await endpoint.respond_to_read(request, delete)


def _find(request: Request) -> StoredFile:
    endpoint: Endpoint = request.app.state.endpoint
    file_id = request.path_params["file_id"]
    file = endpoint.state.files.get(file_id)
    if file is None:
        raise ApiError(404, f"No such File object: {file_id}", param="id")
    return file
