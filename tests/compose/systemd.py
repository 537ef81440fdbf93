"""What the units of config/systemd promise, under a real systemd in a container.   systemd.py DOCKER

Where a container may not run systemd, that is said, and nothing is checked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from engine import DOCKER, output, run, until

IMAGE = "ops-sidecar-demo-systemd:local"
ALLOWED = ("--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined")
SETTINGS = "/etc/ops-sidecar/sidecar.yaml"
NAME = ""  # of the container

ASK = """if True:
    import http.client
    one = http.client.HTTPConnection("127.0.0.1", 9080, timeout=20)
    one.request("GET", "/", headers={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    print(one.getresponse().read().decode())"""

# 20 requests a second, each on a connection of its own, until a line comes; prints how many, and what failed.
LOAD = """if True:
    import http.client, json, sys, threading, time
    stop = threading.Event()
    asked, failed = 0, []
    def ask():
        try:
            one = http.client.HTTPConnection("127.0.0.1", 9080, timeout=30)
            one.request("POST", "/", b"body")
            status = one.getresponse().status
            if status != 200:
                failed.append(status)
        except OSError as error:
            failed.append(repr(error))
    threads = []
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    print("asking", flush=True)
    while not stop.wait(0.05):
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
    for thread in threads:
        thread.join()
    print(json.dumps([len(threads), failed]), flush=True)"""


def inside(*words: str, ok: tuple[int, ...] = (0,)) -> str:
    return output(DOCKER, "exec", NAME, *words, ok=ok)


def show(unit: str, key: str) -> str:
    """One property of a unit."""
    return inside("systemctl", "show", "--property", key, "--value", unit)


def under_load(*commands: tuple[str, ...]) -> None:
    """Run the commands one after the other while requests come. None of those may fail."""
    words = [DOCKER, "exec", "--interactive", NAME, "python3", "-c", LOAD]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        assert asking.stdout.readline() == "asking\n"
        for command in commands:
            time.sleep(1)  # under load
            inside(*command)
        time.sleep(1)
        asking.stdin.write("\n")
        asking.stdin.flush()
        asked, failed = json.loads(asking.stdout.readline())
    assert asked > 20 * len(commands), asked
    assert not failed, failed


def it_serves_under_all_its_hardening() -> None:
    """No right, no new one, system calls filtered; B3 for the app."""
    until("it is not active", lambda: show("ops-sidecar.service", "ActiveState") == "active")
    assert show("ops-sidecar.service", "StatusText") == "serving"
    until(
        "the app is not there", lambda: "X-B3-TraceId: 4bf92f3577b34da6a3ce929d0e0e4736" in inside("python3", "-c", ASK)
    )
    status = inside("cat", f"/proc/{show('ops-sidecar.service', 'MainPID')}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0, fields
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2"), fields
    assert "0" not in fields["Uid"].split(), fields["Uid"]


def a_reload_is_told_and_a_bad_file_changes_nothing() -> None:
    """systemctl reload; the log says why."""
    pid = show("ops-sidecar.service", "MainPID")
    inside("sh", "-c", f"cp {SETTINGS} /tmp/good && printf 'inbound: {{lissten: off}}\\n' > {SETTINGS}")
    inside("systemctl", "reload", "ops-sidecar")
    until("nothing is said", lambda: "settings not reloaded" in inside("journalctl", "--unit", "ops-sidecar"))
    inside("sh", "-c", f"cat /tmp/good > {SETTINGS}")
    inside("systemctl", "reload", "ops-sidecar")
    assert show("ops-sidecar.service", "ActiveState") == "active"
    assert show("ops-sidecar.service", "MainPID") == pid


def a_restart_loses_no_request() -> None:
    """systemd holds the sockets."""
    under_load(("systemctl", "restart", "ops-sidecar"))


def an_upgrade_by_a_second_instance_loses_none_either() -> None:
    """As ops-sidecar@.service says it in its first lines."""
    under_load(
        ("systemctl", "start", "ops-sidecar@next"),
        ("systemctl", "restart", "ops-sidecar"),
        ("systemctl", "stop", "ops-sidecar@next"),
    )
    assert show("ops-sidecar.service", "ActiveState") == "active"
    assert show("ops-sidecar@next.service", "Result") == "success"


def a_crash_brings_it_back() -> None:
    """Restart=on-failure."""
    pid = show("ops-sidecar.service", "MainPID")
    inside("kill", "-KILL", pid)
    until("it does not come back", lambda: show("ops-sidecar.service", "MainPID") not in ("0", pid))
    until("it is not active", lambda: show("ops-sidecar.service", "ActiveState") == "active")


def one_that_hangs_is_ended() -> None:
    """By the watchdog."""
    pid = show("ops-sidecar.service", "MainPID")
    inside("kill", "-STOP", pid)
    until("it still hangs", lambda: show("ops-sidecar.service", "MainPID") not in ("0", pid))
    until("it is not active", lambda: show("ops-sidecar.service", "ActiveState") == "active")
    assert "Watchdog timeout" in inside("journalctl", "--unit", "ops-sidecar")


def wrong_settings_are_not_tried_again() -> None:
    """RestartPreventExitStatus=2; the journal has the remedy. Put right, it starts."""
    inside("sh", "-c", f"printf 'inbound: {{lissten: off}}\\n' > {SETTINGS}")
    inside("systemctl", "restart", "ops-sidecar", ok=(0, 1))
    until("it is not failed", lambda: show("ops-sidecar.service", "ActiveState") == "failed")
    assert show("ops-sidecar.service", "ExecMainStatus") == "2"
    assert "lissten" in inside("journalctl", "--unit", "ops-sidecar", "--lines", "20")
    inside("sh", "-c", f"cat /tmp/good > {SETTINGS}")
    inside("systemctl", "reset-failed", "ops-sidecar.service", "ops-sidecar.socket")
    inside("systemctl", "start", "ops-sidecar.socket", "ops-sidecar.service")
    until("it does not serve", lambda: "X-B3-TraceId" in inside("python3", "-c", ASK))


CHECKS = (
    it_serves_under_all_its_hardening,
    a_reload_is_told_and_a_bad_file_changes_nothing,
    a_restart_loses_no_request,
    an_upgrade_by_a_second_instance_loses_none_either,
    a_crash_brings_it_back,
    one_that_hangs_is_ended,
    wrong_settings_are_not_tried_again,
)


def main() -> int:
    """Start the container, check, end it."""
    global NAME
    words = (DOCKER, "run", "--detach", *ALLOWED, "--tmpfs=/run", "--tmpfs=/tmp", "--network=none", IMAGE)
    started = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    NAME = started.stdout.strip()
    try:
        known = False
        for _ in range(30):
            states = subprocess.run(
                (DOCKER, "exec", NAME, "systemctl", "is-system-running"), capture_output=True, text=True
            )
            known = known or states.stdout.strip() in ("running", "degraded", "starting")
            if states.stdout.strip() in ("running", "degraded"):
                break
            time.sleep(1)
        if not known:
            print(f"systemd: skipped, a container may not run it here: {started.stderr.strip()[-200:]}")
            return 0
        code = run("systemd", CHECKS)
        if code:
            print(inside("journalctl", "--no-pager", "--lines", "60", ok=(0, 1)), file=sys.stderr)
        return code
    finally:
        subprocess.run((DOCKER, "rm", "--force", NAME), capture_output=True, check=False)


if __name__ == "__main__":
    raise SystemExit(main())
