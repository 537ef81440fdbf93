"""Who may ask: Host, Origin, token; and the headers that keep a page from doing what it should not.

A web page elsewhere can make a browser ask us: by a name of its own that leads here (DNS rebinding), or across origins.
The first is seen by Host, the second by Origin. The token is asked for wherever others could reach the page.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from proxy.admin.hosts import AdminHosts
from proxy.console.server.answers import problem

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_YEAR_S: Final = 365 * 24 * 3600
_OPEN_PATHS: Final = ("/api/v1/login", "/healthz")  # without a token


class Guard:
    """The middleware of the page and the API."""

    def __init__(self, hosts: AdminHosts, token: str) -> None:
        """`token`: empty for none."""
        self._hosts = hosts
        self._token = token.encode()
        self.refused: dict[str, int] = {}

    @property
    def has_token(self) -> bool:
        """Whether one is asked for."""
        return bool(self._token)

    def middleware(self) -> Middleware:
        """For `web.Application`."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = self._refusal(request)
            if response is None:
                try:
                    response = await handler(request)
                except web.HTTPException as error:
                    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
                    response = problem(error.status, _said(error), allow)
                except Exception as error:  # a bug of ours: the outermost edge
                    log.error("a question was not answered: %s", type(error).__name__, exc_info=error)
                    response = problem(500, "The console failed at this. Its log says more.")
            if not response.prepared:
                response.headers.update(HEADERS)
            return response

        return guard

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        host = request.headers.getall("Host", [])
        if not all(self._hosts.allows(one) for one in host):
            return self._refuse(
                "host", 421, "Host is not a name of this console; the setting console.hosts allows more."
            )
        origin = request.headers.get("Origin")
        if origin is not None and origin != "null" and urlsplit(origin).netloc != request.host:
            return self._refuse("origin", 403, "A page of another origin may not ask the console.")
        if origin == "null" or (request.headers.get("Sec-Fetch-Site") == "cross-site" and not _is_navigation(request)):
            return self._refuse("origin", 403, "A page of another origin may not ask the console.")
        if not self._token:
            return None
        if request.path == "/" and "token" in request.query and request.method == "GET":
            return self._welcome(request)
        if request.path in _OPEN_PATHS or self.is_known(request):
            return None
        if not request.path.startswith("/api/"):
            return None  # the page itself is public; it asks for the token
        return self._refuse("token", 401, "The console asks for its token. It was printed with the URL at the start.",
                            {"WWW-Authenticate": "Bearer"})  # fmt: skip

    def _refuse(self, why: str, status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
        self.refused[why] = self.refused.get(why, 0) + 1
        return problem(status, detail, headers)

    def is_token(self, said: str) -> bool:
        """Whether `said` is the token, in constant time."""
        return hmac.compare_digest(said.encode("utf-8", "replace"), self._token)

    def is_known(self, request: web.Request) -> bool:
        """By header or cookie."""
        kind, _, said = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(said.strip()):
            return True
        return self.is_token(request.cookies.get(_cookie(request), ""))

    def remember(self, request: web.Request, response: web.StreamResponse) -> None:
        """The browser sends the token from now on."""
        response.set_cookie(
            _cookie(request), self._token.decode(), max_age=_YEAR_S, httponly=True, samesite="Strict", path="/",
            secure=request.secure,
        )  # fmt: skip

    def _welcome(self, request: web.Request) -> web.StreamResponse:
        """`/?token=…`, as printed: to a URL without it, so that it stays out of the history."""
        response = web.Response(status=303, headers={"Location": "/", "Cache-Control": "no-store"})
        if self.is_token(request.query["token"]):
            self.remember(request, response)
        else:
            self.refused["token"] = self.refused.get("token", 0) + 1  # the page asks again
        return response


def _cookie(request: web.Request) -> str:
    """Cookies do not know ports, so the name does."""
    port = urlsplit(f"//{request.host}").port or 80
    return f"ops-console-{port}"


def _is_navigation(request: web.Request) -> bool:
    """A link from elsewhere to the page is harmless."""
    return request.method in ("GET", "HEAD") and not request.path.startswith("/api/")


def _said(error: web.HTTPException) -> str:
    if error.status == 404:
        return "There is nothing at this path. /api/v1/openapi.json lists what is."
    if error.status == 405:
        return "This path does not take that method."
    return error.reason or "The request cannot be served."
