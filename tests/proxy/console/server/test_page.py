"""The page's files: which are served, as what, and how a browser asks whether its copy is still right."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from proxy.console.server.page import add_page, page_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "js").mkdir()
    (tmp_path / "odd.js").mkdir()
    for name in ("index.html", "js/page.js", "page.css", "icon.svg", "notes.txt", "__init__.py"):
        (tmp_path / name).write_text(f"{name} é")
    return tmp_path


def test_files_by_their_paths_and_types(folder: Path) -> None:
    found = page_files(folder)
    assert {path: (file.kind, file.body.decode()) for path, file in found.items()} == {
        "/": ("text/html", "index.html é"),
        "/index.html": ("text/html", "index.html é"),
        "/js/page.js": ("text/javascript", "js/page.js é"),
        "/page.css": ("text/css", "page.css é"),
        "/icon.svg": ("image/svg+xml", "icon.svg é"),
    }
    (folder / "index.html").unlink()
    assert "/" not in page_files(folder)


def test_the_etag_changes_with_the_file(folder: Path) -> None:
    before = page_files(folder)
    (folder / "page.css").write_text("other")
    after = page_files(folder)
    assert [path for path in before if before[path].etag != after[path].etag] == ["/page.css"]
    etag = after["/page.css"].etag
    assert (etag[0], etag[-1], len(etag)) == ('"', '"', 26)


async def asked(folder: Path, path: str, **headers: str) -> web.Response:
    app = web.Application()
    add_page(app, folder)
    request = make_mocked_request("GET", path, {name.replace("_", "-"): value for name, value in headers.items()})
    found = await app.router.resolve(request)
    response = await found.handler(request)
    assert isinstance(response, web.Response)
    return response


async def test_a_file_is_asked_for_again_and_sent_where_it_is_another(folder: Path) -> None:
    response = await asked(folder, "/page.css")
    assert (response.status, response.text) == (200, "page.css é")
    assert (response.content_type, response.charset) == ("text/css", "utf-8")
    etag = response.headers["ETag"]
    for said, status in ((etag, 304), (etag[:-2], 200)):
        again = await asked(folder, "/page.css", If_None_Match=said)
        assert (again.status, again.headers["ETag"], again.headers["Cache-Control"]) == (status, etag, "no-cache")
        assert bool(again.body) is (status == 200)


@pytest.mark.parametrize("path", ["/notes.txt", "/nothing", "/js", "/api/v1/nothing"])
async def test_nothing_else_is_served(folder: Path, path: str) -> None:
    with pytest.raises(web.HTTPNotFound):
        await asked(folder, path)
