"""What our errors say, word for word: they are read where something is wrong, by who has to mend it."""

from __future__ import annotations

import io
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from lab.heads import headed

import proxy.settings
from proxy.cli.views.client import Console, ConsoleError
from proxy.console.query.pages import read_cursor
from proxy.console.store.open import Place, open_store
from proxy.errors import SettingsError, StartError
from proxy.explain.curl import read_curl
from proxy.explain.headers import from_input
from proxy.http1.message.head import Head
from proxy.http1.message.request import read_request
from proxy.http1.message.response import read_response
from proxy.kubernetes.redirection import parse_redirection
from proxy.kubernetes.webhook.admission import review
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Refusal
from proxy.semantics.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    TRANSFER_ENCODING,
    request_kinds,
    response_kinds,
)
from proxy.settings.addresses import parse_listens
from proxy.settings.config_file import read_file
from proxy.settings.layers import Flag, flag_layer
from proxy.transport.handed import handed_over

REQUESTS = request_kinds(lambda _: False, via=True, x_forwarded=True)
RESPONSES = response_kinds()


def sorted_by_hand(*fields: bytes) -> Head:
    """As `sort_fields`, which refuses most of these itself."""
    special = []
    for line in fields:
        name, _, value = line.partition(b": ")
        special.append((KINDS[name], name, value))
    return Head(b"", [], special, [], b"")


def ask(*fields: bytes) -> object:
    return read_request(headed(b"POST / HTTP/1.1", sorted_by_hand(b"Host: a", *fields)), REQUESTS, parse_authority)


def answer(*fields: bytes) -> object:
    return read_response(headed(b"HTTP/1.1 200 OK", sorted_by_hand(*fields)), RESPONSES)


KINDS = {
    b"Host": HOST,
    b"Connection": CONNECTION,
    b"Content-Length": CONTENT_LENGTH,
    b"Transfer-Encoding": TRANSFER_ENCODING,
}
CODED, SIZED = b"Transfer-Encoding: chunked", b"Content-Length: 1"
MESSAGES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: ask(CODED, SIZED), Refusal, "both Transfer-Encoding and Content-Length"),
    (lambda: ask(CODED, CODED), Refusal, "more than one Transfer-Encoding"),
    (lambda: ask(SIZED, SIZED), Refusal, "more than one Content-Length"),
    (
        lambda: ask(b"Connection: " + b", ".join(b"x%d" % number for number in range(129))),
        Refusal,
        "Connection has more than 128 members",
    ),
    (
        lambda: answer(CODED, SIZED),
        Refusal,
        "both Transfer-Encoding and Content-Length in the upstream's response",
    ),
    (lambda: answer(CODED, CODED), Refusal, "more than one Transfer-Encoding in the upstream's response"),
    (lambda: answer(SIZED, SIZED), Refusal, "more than one Content-Length in the upstream's response"),
    (
        lambda: answer(b"Transfer-Encoding: gzip"),
        Refusal,
        "a transfer coding other than chunked in the upstream's response",
    ),
    (
        lambda: answer(b"Content-Length: x"),
        Refusal,
        "malformed Content-Length in the upstream's response",
    ),
    (lambda: read_cursor("x"), Exception, "“x” is not the `next` of an answer"),
    (lambda: read_curl("curl 'a"), Exception, "the curl command has a quote without its end"),
    (
        lambda: from_input([], io.BytesIO(b" " * 1_000_001)),
        Exception,
        "standard input has more than 1,000,000 bytes",
    ),
    (lambda: parse_redirection("80,81:81"), ValueError, "'80,81:81': port 81 would be redirected to itself"),
    (
        lambda: parse_redirection("80"),
        ValueError,
        "'80': expected PORT,...:PORT, such as 80,8080:9081",
    ),
    (
        lambda: review({}, lambda _: None, opted_in=True),
        Exception,
        "expected an AdmissionReview of admission.k8s.io/v1, with a request that has a uid",
    ),
    (lambda: proxy.settings.spam, AttributeError, "module 'proxy.settings' has no attribute 'spam'"),
    (
        lambda: parse_listens([5, "a:80"]),
        ValueError,
        "expected a list of addresses: host:port, [ipv6]:port or unix:/path",
    ),
]


@pytest.mark.parametrize(("fail", "error", "message"), MESSAGES, ids=[message[:40] for *_, message in MESSAGES])
def test_an_error_says_what_is_wrong(fail: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        fail()
    assert str(caught.value) == message


def test_a_store_of_another_program_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE a (b)")
    with pytest.raises(Exception, match="give --store") as caught:
        open_store(Place(path, 1 << 20))
    assert str(caught.value) == f"{path} is a database of another program; give --store a path of its own"


def test_a_store_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    open_store(Place(path, 1 << 20)).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(Exception, match="newer") as caught:
        open_store(Place(path, 1 << 20))
    assert str(caught.value) == (
        f"{path} was written by a newer ops-sidecar (store version 99, this one reads up to 2); "
        "use that version, or give --store another path"
    )


def test_a_store_that_is_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="opened") as caught:
        open_store(Place(tmp_path, 1 << 20))
    assert str(caught.value) == f"the store {tmp_path} cannot be opened: unable to open database file"


def test_a_file_that_is_not_text_says_where(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_bytes(b"a: \xff")
    with pytest.raises(SettingsError) as caught:
        read_file(file, "--config", None)
    assert [problem.message for problem in caught.value.problems] == ["the file is not UTF-8 text (byte 3)"]


def test_a_file_that_is_too_long_says_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(SettingsError) as caught:
        read_file(file, "--config", None)
    assert [problem.message for problem in caught.value.problems] == ["the file is larger than 1048576 bytes"]


def test_a_flag_with_too_many_steps_is_told_by_its_first() -> None:
    layer = flag_layer([Flag(("inbound",) * 33, "1", "--set")])
    assert [problem.message for problem in layer.problems] == ["a key with more than 32 steps"]


def test_a_handed_over_descriptor_that_is_no_socket_is_told(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as file, pytest.raises(StartError) as caught:
        handed_over({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, 7, first_fd=file.fileno())
    number, _, told = str(caught.value).removeprefix("file descriptor ").partition(" ")
    assert number.isdecimal()
    assert told == "of the service manager is not a socket: Socket operation on non-socket"


def test_a_console_that_does_not_answer_says_how_to_start_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ConsoleError) as caught:
        Console(f"http://127.0.0.1:{port}").get("/sidecars")
    assert str(caught.value) == (
        f"no console answers at http://127.0.0.1:{port}: Connection refused\n"
        "Start one with `ops-sidecar console`, or name it with --console or OPS_CONSOLE_URL."
    )
