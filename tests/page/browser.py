"""A browser under test, driven by WebDriver BiDi: Chromium by way of its driver, Firefox by its own port.

Synchronous, because a test reads as a list of what a person does. Each wait ends by an event in the page or by a
timeout that names what never happened.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import ClientConnection, connect

WAIT_S = 60  # on a busy machine a browser takes its time; nothing waits that long where nothing is wrong
CHROMIUM = "chromium"
FIREFOX = "firefox-esr"
_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    # Nothing of its own leaves the machine.
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
_KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "ArrowLeft": "\ue012", "ArrowRight": "\ue014"}


class BrowserError(Exception):
    """The browser refused a command, or a script in the page threw."""


def missing(name: str) -> str | None:
    """What a machine lacks for browser `name`, or None."""
    needed = {CHROMIUM: ("chromium", "chromedriver"), FIREFOX: ("firefox-esr",)}[name]
    lacking = [command for command in needed if shutil.which(command) is None]
    return f"{' and '.join(lacking)} not installed" if lacking else None


@dataclass
class Browser:
    """One window. `problems`: what the page wrote to its console as an error or a warning, the CSP's refusals too."""

    socket: ClientConnection
    context: str = ""
    problems: list[str] = field(default_factory=list)
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def command(self, method: str, **params: Any) -> Any:
        with self._lock:
            self._count += 1
            self.socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
            while True:
                message = json.loads(self.socket.recv(timeout=WAIT_S + 10))
                if message.get("id") == self._count:
                    break
                self._note(message)
        if message["type"] == "error":
            raise BrowserError(f"{method}: {message['message']}")
        return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "log.entryAdded":
            entry = message["params"]
            if entry["level"] in ("error", "warn"):
                self.problems.append(entry["text"] or json.dumps(entry)[:500])

    def begin(self) -> None:
        """Take the first window."""
        self.context = self.command("browsingContext.getTree")["contexts"][0]["context"]
        self.command("session.subscribe", events=["log.entryAdded"])

    def resize(self, width: int, height: int = 900) -> None:
        self.command("browsingContext.setViewport", context=self.context, viewport={"width": width, "height": height})

    def open(self, url: str) -> None:
        """Load `url` anew, even where only its hash differs."""
        self.command("browsingContext.navigate", context=self.context, url="about:blank", wait="complete")
        self.command("browsingContext.navigate", context=self.context, url=url, wait="none")
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:  # asked, not told: Firefox 153 sometimes tells nobody of a page that is complete
            with contextlib.suppress(BrowserError):  # between two pages
                if self.run("location.href !== 'about:blank' && document.readyState === 'complete'"):
                    return
            time.sleep(0.02)
        raise BrowserError(f"{url} was not loaded")

    def go(self, route: str) -> None:
        """Change the hash, as a link does."""
        self.run(f"location.hash = {json.dumps(route)}")

    def run(self, expression: str) -> Any:
        """The value of `expression` (a promise is awaited), as JSON says it."""
        script = f"(async () => JSON.stringify(await (async () => ({expression}))() ?? null))()"
        answer = self.command("script.evaluate", expression=script, target={"context": self.context}, awaitPromise=True)
        if answer["type"] == "exception":
            raise BrowserError(f"{answer['exceptionDetails']['text']} in {expression[:300]}")
        return json.loads(answer["result"]["value"])

    def load_script(self, source: str) -> None:
        """Run a library in the page's global scope; the page's CSP does not hold for a debugger."""
        self.command("script.evaluate", expression=source, target={"context": self.context}, awaitPromise=False)

    def wait(self, expression: str, wait_s: float = WAIT_S) -> Any:
        """The first value of `expression` that is true."""
        return self.run(
            f"""new Promise((done, fail) => {{
                const begun = performance.now();
                (function look() {{
                    let value;
                    try {{ value = ({expression}); }} catch {{ value = null; }}
                    if (value) done(value);
                    else if (performance.now() - begun > {wait_s * 1000}) {{
                        const shown = document.body.innerText.slice(0, 600);
                        fail(new Error("never true: " + {json.dumps(expression)} + "; the page says: " + shown));
                    }} else setTimeout(look, 15);
                }})();
            }})"""
        )

    def text(self, selector: str = "#main") -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def wait_text(self, wanted: str, selector: str = "#main") -> None:
        self.wait(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(wanted)})")

    def _place(self, selector: str) -> tuple[int, int]:
        box = self.wait(
            f"""(() => {{
                const el = document.querySelector({json.dumps(selector)});
                if (!el) return null;
                el.scrollIntoView({{block: 'nearest', inline: 'nearest'}});
                const b = el.getBoundingClientRect();
                return b.width ? [b.x + b.width / 2, b.y + b.height / 2] : null;
            }})()"""
        )
        return round(box[0]), round(box[1])

    def _point(self, *actions: dict[str, Any]) -> None:
        source = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": list(actions)}
        self.command("input.performActions", context=self.context, actions=[source])

    def click(self, selector: str) -> None:
        x, y = self._place(selector)
        move = {"type": "pointerMove", "x": x, "y": y}
        self._point(move, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0})

    def drag(self, selector: str, dx: int) -> None:
        x, y = self._place(selector)
        self._point(
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": x + dx // 2, "y": y, "duration": 20},
            {"type": "pointerMove", "x": x + dx, "y": y, "duration": 20},
            {"type": "pointerUp", "button": 0},
        )

    def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys one after the other: characters, or Enter, Escape, Tab, ArrowLeft, ArrowRight."""
        actions = []
        for key in keys:
            value = _KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        if shift:
            actions = [{"type": "keyDown", "value": "\ue008"}, *actions, {"type": "keyUp", "value": "\ue008"}]
        source = {"type": "key", "id": "keys", "actions": actions}
        self.command("input.performActions", context=self.context, actions=[source])

    def write(self, selector: str, text: str) -> None:
        """Put `text` in place of what an input holds, as typing does."""
        self.run(
            f"""(() => {{
                const el = document.querySelector({json.dumps(selector)});
                el.value = {json.dumps(text)};
                el.dispatchEvent(new InputEvent('input', {{bubbles: true}}));
            }})()"""
        )

    def screenshot(self, path: Path) -> None:
        answer = self.command("browsingContext.captureScreenshot", context=self.context)
        path.write_bytes(base64.b64decode(answer["data"]))

    def url(self) -> str:
        return str(self.run("location.href"))

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception):
            self.command("session.end")


def _read_until(stream: Any, pattern: str) -> re.Match[str]:
    for line in stream:
        found = re.search(pattern, line)
        if found:
            threading.Thread(target=stream.read, daemon=True).start()  # the pipe must not fill
            return found
    raise BrowserError(f"the browser ended before it said {pattern}")


def _websocket_of_chromium(driver_port: str, profile: str) -> str:
    options = {"binary": shutil.which("chromium"), "args": [*_ARGUMENTS, f"--user-data-dir={profile}"]}
    wanted = {"capabilities": {"alwaysMatch": {"webSocketUrl": True, "goog:chromeOptions": options}}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{driver_port}/session", json.dumps(wanted).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["value"]["capabilities"]["webSocketUrl"])


@contextlib.contextmanager
def launched(name: str) -> Iterator[Browser]:
    """A fresh browser without a window on a screen."""
    with tempfile.TemporaryDirectory(prefix="ops-browser-", ignore_cleanup_errors=True) as profile:
        if name == CHROMIUM:
            command = ["chromedriver", "--port=0"]
        else:
            command = [FIREFOX, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=None, start_new_session=True
        )
        try:
            if name == CHROMIUM:
                port = _read_until(process.stdout, r"started successfully on port (\d+)").group(1)
                url = _websocket_of_chromium(port, profile)
            else:
                url = _read_until(process.stdout, r"WebDriver BiDi listening on (ws://\S+)").group(1) + "/session"
            with connect(url, max_size=None, open_timeout=60) as socket, Browser(socket) as browser:
                if name == FIREFOX:
                    browser.command("session.new", capabilities={})
                browser.begin()
                yield browser
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
