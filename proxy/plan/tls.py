"""TLS towards https servers and clients. Knows `ssl` and the tls sections of the settings; opens no connection."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from proxy.plan.upstream import Http2
from proxy.settings.sections.section import ListenTlsSettings, TlsClientSettings
from proxy.settings.watch import Signature, signature

_File = tuple[str, Signature | None] | None  # its path, and its state on disk
_Key = tuple[str, bool | str, _File, _File, _File]

_HTTP_1: Final = "http/1.1"
_HTTP_2: Final = "h2"
_OFFERED: Final[dict[Http2, list[str]]] = {"auto": [_HTTP_2, _HTTP_1], "always": [_HTTP_2], "never": [_HTTP_1]}


class TlsContexts:
    """The contexts of one plan and of the one before it.

    Targets with the same settings share one: the system's certificates take a megabyte.
    A reload keeps unchanged ones, so that kept connections stay valid.
    A changed certificate file makes a new one.
    """

    def __init__(self) -> None:
        self._now: dict[_Key, ssl.SSLContext] = {}
        self._before: dict[_Key, ssl.SSLContext] = {}

    def next_plan(self) -> None:
        """From here on, contexts that are not asked for again are forgotten with the next plan but one."""
        self._before, self._now = self._now, {}

    def get_server(self, tls: ListenTlsSettings, *, http2: bool = True) -> ssl.SSLContext:
        """The context for clients that connect by `tls`. Raises OSError as `server_context` does."""
        http: Http2 = "auto" if http2 else "never"
        key = (http, tls.client_certificates, _look(tls.client_ca_file), _look(tls.cert_file), _look(tls.key_file))
        found = self._now.get(key) or self._before.get(key) or server_context(tls, http)
        self._now[key] = found
        return found

    def get(self, tls: TlsClientSettings, http2: Http2 = "never") -> ssl.SSLContext:
        """The context for `tls`. Raises OSError as `tls_context` does."""
        key = (http2, tls.verify, _look(tls.ca_file), _look(tls.cert_file), _look(tls.key_file))
        found = self._now.get(key) or self._before.get(key) or tls_context(tls, http2)
        self._now[key] = found
        return found


def _look(path: str | None) -> _File:
    return (path, signature(Path(path))) if path is not None else None


def tls_context(tls: TlsClientSettings, http2: Http2 = "never") -> ssl.SSLContext:
    """A client context: TLS 1.2 or newer, verified against `ca_file` or the system's certificates.
    It has our own certificate, if there is one. ALPN offers HTTP/1.1, HTTP/2 or both, by `http2`.

    Raises OSError (such as ssl.SSLError) if a file cannot be read or has the wrong content.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_OFFERED[http2])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file is not None:
        context.load_verify_locations(cafile=tls.ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


_ASKED = {"off": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def server_context(tls: ListenTlsSettings, http2: Http2 = "never") -> ssl.SSLContext:
    """A server context: TLS 1.2 or newer, clients verified against `client_ca_file`. ALPN by `http2`.

    Raises OSError where a file cannot be read or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_OFFERED[http2])
    context.load_cert_chain(tls.cert_file or "", tls.key_file)
    if tls.client_ca_file is not None:
        context.load_verify_locations(cafile=tls.client_ca_file)
    context.verify_mode = _ASKED[tls.client_certificates]
    return context
