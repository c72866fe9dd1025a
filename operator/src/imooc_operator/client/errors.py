"""What can go wrong between the operator and the API server, as one small tree.

    ApiError
    ├── Unreachable           no answer: refused, reset, timed out, broken bytes
    │   └── Silent            a watch was open and brought nothing, not even bookmarks
    └── Refused               the API server answered with a failure
        ├── BadRequest        400
        ├── Unauthorized      401
        ├── Forbidden         403
        ├── NotFound          404
        ├── Conflict          409, a precondition did not hold
        │   └── AlreadyExists 409 on create
        ├── Gone              410, the resourceVersion or continue token is too old
        ├── Invalid           422
        ├── TooManyRequests   429
        └── ServerFailure     5xx

Invariant: `outcome_unknown` is true exactly when the failed write may have been applied.
"""

from collections.abc import Mapping

import msgspec


class ApiError(Exception):
    """A request to the API server did not succeed."""

    outcome_unknown: bool = False
    retry_after: float | None = None


class Unreachable(ApiError):
    """No usable answer arrived; `sent` tells whether the request may have been applied."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.outcome_unknown = sent


class Silent(Unreachable):
    """An open stream brought nothing for too long."""


class Refused(ApiError):
    """The API server answered `status` with a Status object."""

    def __init__(
        self,
        what: str,
        status: int,
        *,
        reason: str = "",
        message: str = "",
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{what}: {status} {reason or 'refused'}: {message or 'no message'}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after


class BadRequest(Refused):
    """The API server does not understand the request."""


class Unauthorized(Refused):
    """The API server does not know this client: token expired or certificate refused."""


class Forbidden(Refused):
    """RBAC, admission or quota says no."""


class NotFound(Refused):
    """The object, its namespace or its resource type is not there."""


class Conflict(Refused):
    """A uid or resourceVersion precondition did not hold."""


class AlreadyExists(Conflict):
    """An object of that name is already there."""


class Gone(Refused):
    """The history asked for was compacted; only a fresh list helps."""


class Invalid(Refused):
    """The object breaks its schema or a validation."""


class TooManyRequests(Refused):
    """The API server sheds load."""


class ServerFailure(Refused):
    """The API server failed; a write may have been applied all the same."""

    outcome_unknown = True


FAILURES = (ApiError, msgspec.DecodeError)
"""What a request may end in: no answer, a refusal, or the answer of something in between."""


class _Cause(msgspec.Struct):
    reason: str = ""


class _Details(msgspec.Struct, rename="camel"):
    causes: list[_Cause] | None = None
    retry_after_seconds: float | None = None


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""
    code: int = 0
    details: _Details | None = None


_STATUS = msgspec.json.Decoder(_Status)

_BY_CODE: Mapping[int, type[Refused]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def refusal(what: str, status: int, body: bytes, retry_after: str | None = None) -> Refused:
    """Return the error for an answer of `status`; a body that is no Status object is quoted.

    `status` 0 means the code is in the body, as in a watch's ERROR event. Retry-After is read in
    seconds, the only form the API server sends.
    """
    try:
        answer = _STATUS.decode(body)
    except msgspec.DecodeError:
        answer = _Status(message=body[:200].decode(errors="replace"))
    details = answer.details or _Details()
    code = status or answer.code
    error = _BY_CODE.get(code, ServerFailure if code >= 500 else Refused)
    if error is Conflict and answer.reason == "AlreadyExists":
        error = AlreadyExists
    return error(
        what,
        code,
        reason=answer.reason,
        message=answer.message,
        causes=tuple(cause.reason for cause in details.causes or ()),
        retry_after=_seconds(retry_after) or details.retry_after_seconds,
    )


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() else None
