"""TLS towards an https target. Knows `ssl` and the tls section of the settings; opens no connection."""

from __future__ import annotations

import ssl

from proxy.settings.models import TlsSettings


def tls_context(tls: TlsSettings) -> ssl.SSLContext:
    """A client context: TLS 1.2 or newer, HTTP/1.1 offered by ALPN, verified against `ca_file` or the system's
    certificates.

    Raises OSError (ssl.SSLError is one) where `ca_file` cannot be read or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file is not None:
        context.load_verify_locations(cafile=tls.ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context
