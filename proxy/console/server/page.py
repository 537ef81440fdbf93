"""The page: the static files of `proxy/console/page`, from memory, with an ETag."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

FOLDER: Final = Path(__file__).parents[1] / "page"
_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


class _File(NamedTuple):
    body: bytes
    kind: str
    etag: str


def page_files(folder: Path = FOLDER) -> dict[str, _File]:
    """Path of the URL -> file."""
    found: dict[str, _File] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TYPES and path.is_file():
            body = path.read_bytes()
            etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
            found["/" + path.relative_to(folder).as_posix()] = _File(body, _TYPES[path.suffix], etag)
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


def add_page(app: web.Application, folder: Path = FOLDER) -> None:
    """Serve the files."""
    files = page_files(folder)

    async def serve(request: web.Request) -> web.StreamResponse:
        file = files.get(request.path)
        if file is None:
            raise web.HTTPNotFound
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == file.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.body, content_type=file.kind, charset="utf-8", headers=headers)

    app.router.add_get("/{path:(?!api/).*}", serve)
