"""`ops-sidecar webhook`: puts the sidecar into pods as a cluster creates them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from proxy.address import Address
from proxy.cli.flags import add_settings_flags, collect_flags
from proxy.cli.help import parser
from proxy.cli.problems import print_problems
from proxy.errors import SettingsError, StartError
from proxy.settings import Flag

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# A webhook sees no Service, so it cannot move a targetPort.
_DEFAULTS = (Flag(("kubernetes", "inbound"), "redirect", "default of the webhook"),)


def run(argv: Sequence[str]) -> int:
    """Serve until told to stop. 0: stopped; 1: could not start; 2: wrong arguments or settings."""
    import asyncio
    import logging

    from proxy.kubernetes.configuration import configuration
    from proxy.kubernetes.webhook.run import Options, serve

    arguments_parser = _parser()
    arguments = arguments_parser.parse_args(argv)
    files = None
    if arguments.cert_file is not None or arguments.key_file is not None:
        if arguments.cert_file is None or arguments.key_file is None:
            arguments_parser.error("give --cert-file and --key-file together")
        files = (arguments.cert_file, arguments.key_file)
    options = Options(
        listen=arguments.listen,
        health=arguments.health,
        namespace=arguments.namespace or _namespace(),
        service=arguments.service,
        secret=arguments.secret,
        configuration=arguments.configuration,
        files=files,
    )
    flags, wrong = collect_flags(arguments)
    try:
        configure = configuration(arguments.config, flags, wrong, defaults=_DEFAULTS)
    except SettingsError as error:
        print_problems(error)
        return 2
    _log_to_standard_error(logging.INFO)
    try:
        asyncio.run(serve(options, configure, lambda line: print(line, file=sys.stderr, flush=True)))
    except StartError as error:
        print(f"ops-sidecar webhook: cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser("webhook")
    made.add_argument("--listen", metavar="ADDR", type=_address, default="0.0.0.0:9443", help="default 0.0.0.0:9443")
    made.add_argument(
        "--health",
        metavar="ADDR",
        type=_address,
        default="0.0.0.0:9084",
        help="health and metrics (default 0.0.0.0:9084)",
    )
    made.add_argument("--namespace", metavar="NAME", help="where it runs (default: that of its service account)")
    made.add_argument(
        "--service", metavar="NAME", default="ops-sidecar-webhook", help="its Service (default %(default)s)"
    )
    made.add_argument(
        "--secret", metavar="NAME", default="ops-sidecar-webhook", help="keeps its certificates (default %(default)s)"
    )
    made.add_argument(
        "--configuration",
        metavar="NAME",
        default="zz-ops-sidecar",
        help="the MutatingWebhookConfiguration that has to believe them (default %(default)s)",
    )
    made.add_argument("--cert-file", metavar="FILE", type=Path, help="a certificate that somebody else renews (PEM)")
    made.add_argument("--key-file", metavar="FILE", type=Path, help="its key (PEM)")
    add_settings_flags(made)
    return made


def _address(text: str) -> Address:
    from proxy.settings.addresses import parse_listen

    try:
        address = parse_listen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    if address is None or address.unix_path:
        raise argparse.ArgumentTypeError(f"{text!r}: expected host:port")
    return address


def _namespace() -> str:
    try:
        return _NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return "ops-sidecar"


def _log_to_standard_error(level: int) -> None:
    import logging

    from proxy.telemetry.log import TextFormatter

    handler = logging.StreamHandler()
    handler.setFormatter(TextFormatter())
    logging.basicConfig(level=level, handlers=[handler])
