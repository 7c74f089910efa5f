"""What the endpoint says when it refuses, in the form that clients of hosted models expect."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        HTTP status, 400 or above.
    message : str
        For people.
    kind : str
        Family of the error, ``type`` in the answer.
    code : str, optional
        For programs.
    param : str, optional
        The parameter that is wrong.
    headers : Mapping[str, str], optional
        Sent along, such as ``retry-after``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def invalid(param: str, message: str) -> ApiError:
    """Refuse a request with a parameter that cannot be used."""
    return ApiError(400, message, code="invalid_value", param=param)


def unknown_model(name: str) -> ApiError:
    """Refuse a request for a model that does not exist."""
    return ApiError(
        404,
        f"The model `{name}` does not exist or you do not have access to it.",
        code="model_not_found",
        param="model",
    )
