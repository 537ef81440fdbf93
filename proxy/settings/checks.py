"""Checks between keys: no duplicate address, name or pattern, no target that leads back here, readable certificates,
rules of trust that can be kept.

May know the models, and reads the certificate files that they name.
Each finding names its keys, so that the caller can drop findings about keys that are already wrong.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path as FilePath
from typing import NamedTuple

from proxy.address import Address
from proxy.destinations import Destinations
from proxy.settings.addresses import TargetUrl
from proxy.settings.models import Settings
from proxy.settings.otlp_values import CollectorUrl
from proxy.settings.sections.belief import TrustRule
from proxy.settings.sections.listeners import UpstreamSettings
from proxy.settings.sections.propagation import PropagationSettings
from proxy.settings.sections.section import ListenTlsSettings, TlsClientSettings
from proxy.settings.sections.traffic import TlsSettings
from proxy.settings.yaml_file import Path

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?\Z")
_RULE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TAKEN_NAMES = frozenset({"app", "other", "inbound", "outbound", "admin"})


class Finding(NamedTuple):
    """One problem: the key to name, its value, what would be right, and the other keys that it depends on."""

    path: Path
    value: object  # text, or the value in the file
    message: str
    others: tuple[Path, ...] = ()


def check(settings: Settings) -> Iterator[Finding]:
    """All problems between keys that are each valid alone."""
    listens = _listens(settings)
    if not any(path[0] != "admin" for path, _ in listens):
        yield Finding(
            ("inbound", "listen"),
            "off",
            "every listener is off, so there is nothing to do: set inbound.listen or outbound.listen",
            (("outbound", "listen"), ("upstreams",)),
        )
    yield from _addresses_twice([*listens, *_console_listens(settings)])
    yield from _names(settings)
    yield from _patterns_twice(settings)
    for path, target, tls in _targets(settings):
        yield from _way_back(path, target, listens)
        yield from _tls(path, target, tls)
    yield from _prohibited(settings)
    yield from _listen_tls(("inbound", "listen_tls"), settings.inbound.listen_tls)
    yield from _export(settings)
    if settings.outbound.transparent:
        yield from _via_of_transparent(settings)
    yield from _trust(settings)
    yield from _http2(settings)
    for number, upstream in enumerate(settings.upstreams):
        yield from _reachable(("upstreams", str(number)), upstream)


def _listens(settings: Settings) -> list[tuple[Path, Address]]:
    """Every address to listen at, each with its key."""
    found: list[tuple[Path, tuple[Address, ...]]] = [
        (("inbound", "listen"), settings.inbound.listen),
        (("outbound", "listen"), settings.outbound.listen),
        (("admin", "listen"), (settings.admin.listen,) if settings.admin.listen is not None else ()),
        (("admin", "public_listen"), settings.admin.public_listen),
    ]
    found += [(("upstreams", str(n), "listen"), upstream.listen) for n, upstream in enumerate(settings.upstreams)]
    return [(path, address) for path, addresses in found for address in addresses]


def _console_listens(settings: Settings) -> Iterator[tuple[Path, Address]]:
    """Those of a console beside this sidecar."""
    console = settings.console
    for name, address in (("listen", console.listen), ("otlp", console.otlp)):
        if console.listen is not None and address is not None:
            yield ("console", name), address


def _via_of_transparent(settings: Settings) -> Iterator[Finding]:
    """The outbound listener's own `forwarding.via` counts where it is set, else that of all listeners."""
    path, own = ("forwarding", "via"), ("outbound", "forwarding", "via")
    is_own = "via" in settings.outbound.forwarding.model_fields_set
    if (settings.outbound if is_own else settings).forwarding.via is False:
        message = "outbound.transparent finds loops by Via: use auto or true"
        yield Finding(own if is_own else path, "false", message, (own,))


def _targets(settings: Settings) -> Iterator[tuple[Path, TargetUrl | None, TlsSettings]]:
    if settings.inbound.listen:
        yield ("inbound", "app"), settings.inbound.app, settings.inbound.tls
    for number, upstream in enumerate(settings.upstreams):
        yield ("upstreams", str(number), "target"), upstream.target, upstream.tls


def _addresses_twice(listens: list[tuple[Path, Address]]) -> Iterator[Finding]:
    for (first, one), (second, other) in combinations(listens, 2):
        if one.unix_path or other.unix_path:
            same = one.unix_path == other.unix_path
        else:
            same = one.port == other.port != 0 and _overlap(one.host, other.host)
        if same:
            message = f"the same address as {'.'.join(first)} = {one}: each listener needs its own"
            yield Finding(second, str(other), message, (first,))


def _overlap(one: str, other: str) -> bool:
    """Whether two addresses are the same, or one is every interface of the other's family, or `localhost` for it."""
    return one == other or any(
        (wide == "0.0.0.0" and ":" not in narrow)
        or (wide == "::" and (":" in narrow or narrow == "localhost"))
        or (wide == "localhost" and narrow in ("127.0.0.1", "::1"))
        for wide, narrow in ((one, other), (other, one))
    )


def _names(settings: Settings) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for number, upstream in enumerate(settings.upstreams):
        path = ("upstreams", str(number), "name")
        key = re.sub(r"[-.]", "_", upstream.name.lower())  # as written in an environment variable
        if not _NAME.match(upstream.name):
            yield Finding(path, upstream.name, "expected 1 to 64 letters, digits, - _ or . (it is a label of metrics)")
        elif key in _TAKEN_NAMES:
            yield Finding(path, upstream.name, "this name is reserved; choose another")
        elif key in seen:
            first = settings.upstreams[seen[key]].name
            message = f"the same name as that of upstream number {seen[key]} ({first}); case, - _ and . do not count"
            yield Finding(path, upstream.name, message, (("upstreams", str(seen[key]), "name"),))
        else:
            seen[key] = number


def _patterns_twice(settings: Settings) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for number, upstream in enumerate(settings.upstreams):
        for place, pattern in enumerate(upstream.match):
            text = str(pattern)
            if text in seen:
                owner = settings.upstreams[seen[text]].name
                message = f"upstream {owner} has this pattern already: a request must lead to one upstream"
                path = ("upstreams", str(number), "match", str(place))
                yield Finding(path, text, message, (("upstreams", str(seen[text]), "match"),))
            else:
                seen[text] = number


def _way_back(path: Path, target: TargetUrl | None, listens: list[tuple[Path, Address]]) -> Iterator[Finding]:
    """A target that is one of our listeners would send every request in a loop.

    An upstream may be the inbound listener: that is how an app calls itself.
    """
    if target is None:
        return
    there = target.endpoint
    for where, listen in listens:
        if path[0] == "upstreams" and where == ("inbound", "listen"):
            continue
        if there.unix_path or listen.unix_path:
            same = there.unix_path == listen.unix_path
        else:
            same = there.port == listen.port and (
                there.host == listen.host
                or (_is_here(there.host) and _is_here(listen.host) and _overlap(there.host, listen.host))
            )
        if same:
            message = f"the sidecar's own listener {'.'.join(where)} = {listen}: requests would loop"
            yield Finding(path, str(target), message, (where,))


def _is_here(host: str) -> bool:
    """Whether `host` is certainly this machine: loopback, every interface, or `localhost`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def _tls(path: Path, target: TargetUrl | None, tls: TlsSettings) -> Iterator[Finding]:
    section = (*path[:-1], "tls")
    written = sorted(tls.model_fields_set)
    if written and (target is None or target.scheme != "https"):
        key = written[0]
        message = f"only an https target has TLS, but {'.'.join(path)} is {target or 'not set'}"
        yield Finding((*section, key), getattr(tls, key), message, (path,))
        return
    yield from _tls_files(section, tls)


def _export(settings: Settings) -> Iterator[Finding]:
    """TLS files of a collector, and of a console, if one is reached by https."""
    export, report = settings.export, settings.console.report
    urls = {name: getattr(export, name) for name in ("endpoint", "traces_endpoint", "metrics_endpoint")}
    yield from _tls_of(("export",), export.tls, urls, "collector")
    yield from _tls_of(("console", "report"), report.tls, {"endpoint": report.endpoint}, "console")
    forward = settings.console.forward
    yield from _tls_of(("console", "forward"), forward.tls, {"endpoint": forward.endpoint}, "collector")


def _tls_of(
    section: Path, tls: TlsClientSettings, urls: Mapping[str, CollectorUrl | None], what: str
) -> Iterator[Finding]:
    there = {name: url for name, url in urls.items() if url is not None}
    defaults = type(tls)()
    written = sorted(key for key in tls.model_fields_set if getattr(tls, key) != getattr(defaults, key))
    if written and not any(url.scheme == "https" for url in there.values()):
        key, prefix = written[0], ".".join(section)
        told = ", ".join(f"{prefix}.{name} is {url}" for name, url in there.items()) or f"{prefix}.endpoint is not set"
        message = f"only an https {what} has TLS, but {told}"
        yield Finding((*section, "tls", key), getattr(tls, key), message, ((*section, "endpoint"),))
        return
    yield from _tls_files((*section, "tls"), tls)


def _tls_files(section: Path, tls: TlsClientSettings) -> Iterator[Finding]:
    """Problems of certificates."""
    if tls.ca_file is not None:
        path = (*section, "ca_file")
        if not tls.verify:
            message = "unused while verify is false: remove one of them"
            yield Finding(path, tls.ca_file, message, ((*section, "verify"),))
        yield from _authorities(path, tls.ca_file)
    if tls.key_file is not None and tls.cert_file is None:
        message = "a key needs its certificate: set cert_file"
        yield Finding((*section, "key_file"), tls.key_file, message, ((*section, "cert_file"),))
    elif tls.cert_file is not None:
        yield from _key_pair(section, tls.cert_file, tls.key_file)


def _listen_tls(section: Path, tls: ListenTlsSettings) -> Iterator[Finding]:
    """Certificates for clients that connect with TLS."""
    set_keys = [key for key in type(tls).model_fields if getattr(tls, key) != type(tls).model_fields[key].default]
    if tls.cert_file is None:
        if set_keys:
            message = "there is no TLS without a certificate: set cert_file"
            yield Finding((*section, set_keys[0]), getattr(tls, set_keys[0]), message, ((*section, "cert_file"),))
        return
    yield from _key_pair(section, tls.cert_file, tls.key_file)
    both = ((*section, "client_certificates"),)
    if tls.client_ca_file is not None:
        path = (*section, "client_ca_file")
        if tls.client_certificates == "off":
            message = "never used while client_certificates is off: set it to optional or required"
            yield Finding(path, tls.client_ca_file, message, both)
        yield from _authorities(path, tls.client_ca_file)
    elif tls.client_certificates != "off":
        message = "clients' certificates are verified against client_ca_file: set it"
        yield Finding(both[0], tls.client_certificates, message, ((*section, "client_ca_file"),))


def _authorities(path: Path, file: str) -> Iterator[Finding]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except ssl.SSLError:
        yield Finding(path, file, "the file holds no certificate in PEM form")
    except OSError as error:
        yield Finding(path, file, f"cannot read the file: {error.strerror}")


def _key_pair(section: Path, cert_file: str, key_file: str | None) -> Iterator[Finding]:
    for key, path in (("cert_file", cert_file), ("key_file", key_file)):
        if path is not None:
            try:
                FilePath(path).open("rb").close()
            except OSError as error:
                yield Finding((*section, key), path, f"cannot read the file: {error.strerror}")
                return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_file, key_file, password=_no_password)
    except (ssl.SSLError, ValueError):
        where = f"with the key of {key_file}" if key_file else "and its key"
        message = f"the file holds no certificate in PEM form {where}; a key with a password cannot be used"
        yield Finding((*section, "cert_file"), cert_file, message, ((*section, "key_file"),))


def _no_password() -> str:
    """Answers the question for a key's password, so that the terminal is not asked."""
    return ""


def _prohibited(settings: Settings) -> Iterator[Finding]:
    """Targets that would be answered 403."""
    destinations = Destinations(settings.outbound.deny, settings.outbound.allow)
    for number, upstream in enumerate(settings.upstreams):
        target = upstream.target
        if target is None or target.endpoint.unix_path:
            continue
        barrier = destinations.bars(target.endpoint.host, target.endpoint.port)
        if barrier is not None:
            message = f"{barrier} is denied, by outbound.deny or by default, so every request is answered 403"
            where = (("outbound", "deny"), ("outbound", "allow"))
            yield Finding(
                ("upstreams", str(number), "target"), str(target), f"{message}; outbound.allow can open it", where
            )


def _reachable(path: Path, upstream: UpstreamSettings) -> Iterator[Finding]:
    if not upstream.match and not upstream.listen:
        message = "no request comes here: set `match` (hosts, wildcards, CIDRs) or `listen` (its own address)"
        yield Finding((*path, "name"), upstream.name, message, ((*path, "match"), (*path, "listen")))
    if upstream.listen and upstream.target is None:
        message = "an upstream with `listen` needs `target`: where its requests go"
        yield Finding((*path, "listen"), ", ".join(map(str, upstream.listen)), message, ((*path, "target"),))
    if upstream.host == "target" and upstream.target is None:
        yield Finding(
            (*path, "host"), "target", "needs `target`: its name becomes the Host header", ((*path, "target"),)
        )


def _http2(settings: Settings) -> Iterator[Finding]:
    """What is forgiven in responses is of HTTP/1.1 alone."""
    ways: list[tuple[Path, str, tuple[str, ...]]] = [(("inbound",), settings.inbound.http2, settings.inbound.lenient)]
    for number, upstream in enumerate(settings.upstreams):
        ways.append((("upstreams", str(number)), upstream.http2 or settings.outbound.http2, upstream.lenient))
    for path, http2, lenient in ways:
        if http2 == "always" and lenient:
            yield Finding(
                (*path, "lenient"),
                ", ".join(lenient),
                "these are faults of HTTP/1.1, and http2 is always: remove lenient, or set http2 to auto or never",
                ((*path, "http2"),),
            )


def _trust(settings: Settings) -> Iterator[Finding]:
    """Rules that are about no listener, never reached, or begin a trace where the sidecar does not take part."""
    modes = _modes(settings)
    last: dict[str, int] = {}  # listener -> its rule about anyone
    names: dict[str, int] = {}
    for number, rule in enumerate(settings.trust):
        path: Path = ("trust", str(number))
        if rule.listener not in modes:
            there = ", ".join(modes)
            yield Finding((*path, "listener"), rule.listener, f"no such listener: expected one of {there}")
            continue
        if rule.name is not None and not _RULE_NAME.fullmatch(rule.name):
            yield Finding((*path, "name"), rule.name, "expected 1 to 64 letters, digits, - _ or . (a label of metrics)")
        elif rule.name is not None and rule.name in names:
            message = f"rule number {names[rule.name]} has this name already"
            yield Finding((*path, "name"), rule.name, message, (("trust", str(names[rule.name]), "name"),))
        elif rule.name is not None:
            names[rule.name] = number
        if rule.listener in last:
            message = f"never reached: rule number {last[rule.listener]} is about every peer of {rule.listener}"
            yield Finding(path, _as_written(rule), message, (("trust", str(last[rule.listener])),))
        elif not rule.peers and not rule.names:
            last[rule.listener] = number
        mode = modes[rule.listener]
        if rule.ids == "restart" and mode is not None:
            message = (
                f"a new trace is begun only where the sidecar takes part: set {mode} to participate, or an "
                "export.endpoint, or let the rule `ignore` what comes"
            )
            yield Finding((*path, "ids"), "restart", message, (("propagation",), (mode.split(".")[0],), ("export",)))


def _as_written(rule: TrustRule) -> object:
    return {key: getattr(rule, key) for key in sorted(rule.model_fields_set)}


def _modes(settings: Settings) -> dict[str, str | None]:
    """The listeners, and of each the key that keeps it from taking part in traces; None where it does."""
    export = settings.export
    exports = export.traces and (export.endpoint or export.traces_endpoint) is not None

    def translates(key: str, *sections: PropagationSettings) -> str | None:
        """`sections`: the narrowest first."""
        mode = next((one.mode for one in sections if "mode" in one.model_fields_set), "auto")
        return None if mode == "participate" or (mode == "auto" and exports) else f"{key}propagation.mode"

    modes: dict[str, str | None] = {}
    if settings.inbound.listen:
        modes["inbound"] = translates("inbound.", settings.inbound.propagation, settings.propagation)
    wider = (settings.outbound.propagation, settings.propagation)
    of_upstreams = [
        translates(f"upstreams.{number}.", upstream.propagation, *wider)
        for number, upstream in enumerate(settings.upstreams)
    ]
    if settings.outbound.listen:
        reached = [mode for mode, upstream in zip(of_upstreams, settings.upstreams, strict=True) if upstream.match]
        modes["outbound"] = next(filter(None, [translates("outbound.", *wider), *reached]), None)
    for mode, upstream in zip(of_upstreams, settings.upstreams, strict=True):
        if upstream.listen:
            modes[upstream.name] = mode
    return modes
