"""A request to the admin listener and its answer, as values. Pure: no socket, no parser, no route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REASONS: Final = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    417: "Expectation Failed",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}  # RFC 9110, 15: of every status that is answered


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whole. `query`: the values of each name. `peer`: the socket's name of the client's address."""

    method: str
    path: str  # percent-decoded
    query: dict[str, list[str]]
    fields: tuple[tuple[str, str], ...]  # names in lower case
    peer: object = None
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """The values of every field `name` (lower case), in order."""
        return [value for key, value in self.fields if key == name]

    @property
    def content_type(self) -> str:
        """The media type of the body in lower case, without its parameters."""
        return ",".join(self.values("content-type")).partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body, read as UTF-8."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. Whoever writes it adds Content-Length, Date and Connection."""

    status: int  # one of REASONS
    headers: tuple[tuple[str, str], ...]
    body: bytes
