"""Files: what clients upload to train on."""

import hashlib

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nip.language_models.server.counters import UPLOADS
from nip.language_models.server.endpoint import Endpoint, read_digest
from nip.language_models.server.errors import ApiError, invalid
from nip.language_models.server.file_table import StoredFile
from nip.language_models.server.form_data import FormPart, read_form
from nip.language_models.server.pages import page_of
from nip.language_models.server.refusals import server_error

MAX_FILES_PER_PAGE = 10000


async def upload_file(request: Request) -> Response:
    """Answer ``POST /v1/files``."""
    endpoint: Endpoint = request.app.state.endpoint
    form = read_form(request.headers.get("content-type", ""), await request.body())
    file = form.get("file")
    if file is None or file.file_name is None:
        raise invalid("file", "The form must hold a file under the name file.")
    purpose = form.get("purpose", FormPart(b"")).content.decode(errors="replace")
    if not purpose:
        raise invalid("purpose", "The form must say the purpose of the file, such as fine-tune.")
    digest = hashlib.sha256(b"\0".join((file.file_name.encode(), purpose.encode(), file.content)))
    fault = endpoint.meet("upload", digest.digest())

    def work() -> Response:
        assert file.file_name is not None
        with endpoint.state.transaction():
            stored = endpoint.state.files.add(file.file_name, purpose, file.content)
            endpoint.state.counters.tally(UPLOADS, stored.sha256)
        if fault is not None and fault.name == "upload_lost":
            raise server_error()
        return JSONResponse(stored.to_dict())

    return await endpoint.answer(fault, work)


async def list_files(request: Request) -> Response:
    """Answer ``GET /v1/files``, the newest first unless ``order=asc``."""
    endpoint: Endpoint = request.app.state.endpoint
    query = request.query_params

    def work() -> Response:
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

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


async def get_file(request: Request) -> Response:
    """Answer ``GET /v1/files/ID``."""
    endpoint: Endpoint = request.app.state.endpoint

    def work() -> Response:
        return JSONResponse(_find(request).to_dict())

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


async def get_content(request: Request) -> Response:
    """Answer ``GET /v1/files/ID/content``."""
    endpoint: Endpoint = request.app.state.endpoint

    def work() -> Response:
        content = endpoint.state.files.content(_find(request))
        return Response(content, media_type="application/octet-stream")

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


async def delete_file(request: Request) -> Response:
    """Answer ``DELETE /v1/files/ID``."""
    endpoint: Endpoint = request.app.state.endpoint

    def work() -> Response:
        file = _find(request)
        endpoint.state.files.delete(file)
        return JSONResponse({"id": file.id, "object": "file", "deleted": True})

    return await endpoint.answer(endpoint.meet("read", read_digest(request)), work)


def _find(request: Request) -> StoredFile:
    endpoint: Endpoint = request.app.state.endpoint
    file_id = request.path_params["file_id"]
    file = endpoint.state.files.get(file_id)
    if file is None:
        raise ApiError(404, f"No such File object: {file_id}", param="id")
    return file
