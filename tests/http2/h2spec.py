"""Runs h2spec's checks against servers of HTTP/2 alone, and through the sidecar: what the server passes, so must both.

    python tests/http2/h2spec.py PATH/TO/h2spec [--tls | --cleartext] [section ...]

PATH is the program of github.com/summerwind/h2spec; the project does not carry it. The servers are nghttpd and nginx,
each without TLS (prior knowledge) and with it (ALPN), and nginx with HTTP/1.1 alone, held against nghttpd.
Loopback only. Names every check that only the server passes, and exits with their number.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import trustme
from lab.process import SidecarProcess

CHECKS_S = 180.0  # for all of them
START_S = 10.0
CONTENT_BYTES = 4096  # more than a check's smallest windows
Results = dict[str, str]  # by check: "passed", or what was seen instead

# Without TLS the sidecar speaks both protocols at one port. Other bytes than the preface are a bad request of HTTP/1.1,
# and get 400: RFC 9113, 3.4 lets GOAWAY be left out there. h2spec takes our answer for a frame.
EXPLAINED = {False: {"http2/3.5 Sends invalid connection preface"}, True: set[str]()}


def free_port() -> int:
    """A port for a server that has to be told one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """A server, once it listens at `port`."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + START_S
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if time.monotonic() > end or process.poll() is not None:
                    raise SystemExit(f"{command[0]} does not listen at port {port}")
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()


class Bench:
    """A folder with a page and certificates, and the servers that serve it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "index.html").write_text("x" * CONTENT_BYTES)
        issuer = trustme.CA()
        issued = issuer.issue_cert("127.0.0.1", "localhost")
        issuer.cert_pem.write_to_path(str(folder / "ca.pem"))
        issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))

    def nghttpd(self, tls: bool) -> list[str]:
        """Its command, but for the port."""
        certificate = [str(self.folder / "key.pem"), str(self.folder / "cert.pem")] if tls else []
        return ["nghttpd", *([] if tls else ["--no-tls"]), "-a", "127.0.0.1", "-d", str(self.folder), "", *certificate]

    def server(self, name: str, tls: bool) -> tuple[list[str], int]:
        """The command of a server, and its port."""
        port = free_port()
        if name == "nghttpd":
            return [part or str(port) for part in self.nghttpd(tls)], port
        http2 = "" if name == "nginx, HTTP/1.1" else " http2"
        temporary = " ".join(
            f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        certificate = f"ssl_certificate {self.folder}/cert.pem; ssl_certificate_key {self.folder}/key.pem;"
        configuration = self.folder / f"nginx-{port}.conf"
        configuration.write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/{port}.pid; error_log stderr crit; events {{}}\n"
            f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}{' ssl' if tls else ''}{http2};"
            f" {certificate if tls else ''} root {self.folder}; error_page 405 =200 /index.html; }} }}\n"
        )
        return ["nginx", "-p", str(self.folder), "-c", str(configuration), "-e", "stderr"], port

    def sidecar(self, port: int, tls: bool, http2: str) -> SidecarProcess:
        """In front of a server."""
        over_tls = [
            *("--set", f"inbound.listen_tls.cert_file={self.folder}/cert.pem"),
            *("--set", f"inbound.listen_tls.key_file={self.folder}/key.pem"),
            *("--set", f"inbound.tls.ca_file={self.folder}/ca.pem"),
        ]
        return SidecarProcess(
            *("--app", f"{'https' if tls else 'http'}://127.0.0.1:{port}", "--admin", "off", "--outbound", "off"),
            *("--inbound", "127.0.0.1:0", "--set", f"inbound.http2={http2}"),
            *(over_tls if tls else []),
        )

    def checks(self, program: Path, port: int, tls: bool, sections: list[str]) -> Results:
        """What h2spec says of whoever listens at `port`."""
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        command = [str(program), "--port", str(port), "--strict", "--junit-report", str(report), *sections]
        subprocess.run(
            [*command, *(["--tls", "--insecure"] if tls else [])],
            check=False,  # it fails where a check does
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=CHECKS_S,
        )
        found: Results = {}
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            other = case.find("failure")
            other = case.find("error") if other is None else other
            name = f"{case.get('package')} {case.get('classname')}"
            found[name] = "passed" if other is None else " ".join((other.text or "skipped").split())
        return found


def compare(name: str, alone: Results, through: Results, explained: set[str]) -> int:
    """Tell how both did; the number of checks that only the server passes."""
    lost = {check: seen for check, seen in through.items() if alone.get(check) == "passed" != seen}
    known = {check for check in lost if check in explained}
    lost = {check: seen for check, seen in lost.items() if check not in explained}
    passed = [sum(seen == "passed" for seen in results.values()) for results in (alone, through)]
    told = f"{name}: {passed[0]} of {len(alone)} alone, {passed[1]} through the sidecar"
    print(f"{told}, {len(lost)} lost, {len(known)} explained", flush=True)
    for check, seen in sorted(lost.items()):
        print(f"    {check}\n        {seen}")
    missing = [check for check in alone if check not in through]
    for check in missing:
        print(f"    {check}: was not checked through the sidecar")
    return len(lost) + len(missing)


def run(bench: Bench, program: Path, wires: list[bool], sections: list[str]) -> int:
    """The number of checks that are lost on the way through the sidecar."""
    lost = 0
    for tls in wires:
        known: Results = {}
        wire = "TLS" if tls else "cleartext"
        for name in ("nghttpd", "nginx", "nginx, HTTP/1.1"):
            is_http1 = name == "nginx, HTTP/1.1"
            command, port = bench.server(name, tls)
            if shutil.which(command[0]) is None:
                print(f"{name}: skipped, it is not installed")
                continue
            with running(command, port):
                alone = known if is_http1 else bench.checks(program, port, tls, sections)
                known = known or alone
                with bench.sidecar(port, tls, "never" if is_http1 else "always") as sidecar:
                    through = bench.checks(program, sidecar.addresses["inbound"].port, tls, sections)
            lost += compare(f"{name}, {wire}", alone, through, EXPLAINED[tls])
    return lost


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="the program h2spec, of github.com/summerwind/h2spec")
    parser.add_argument("sections", nargs="*", help="sections to check, e.g. http2/6.5 hpack; all by default")
    wire = parser.add_mutually_exclusive_group()
    wire.add_argument("--tls", action="store_true", help="with TLS only")
    wire.add_argument("--cleartext", action="store_true", help="without TLS only")
    options = parser.parse_args()
    if shutil.which(str(options.program)) is None:
        parser.error(f"{options.program} is not a program")
    wires = [tls for tls in (False, True) if not (options.tls and not tls) and not (options.cleartext and tls)]
    with tempfile.TemporaryDirectory() as folder:
        return min(run(Bench(Path(folder)), options.program.resolve(), wires, options.sections), 125)


if __name__ == "__main__":
    sys.exit(main())
