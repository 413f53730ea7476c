"""Headless Chromium, driven over its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
MORE = "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --remote-debugging-port=0"
KEYS = {"Tab": 9, "Enter": 13, "ArrowRight": 39, "ArrowLeft": 37, "Space": 32}


@dataclass
class Page:
    """One tab."""

    socket: ClientConnection
    session: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    complaints: list[str] = field(default_factory=list[str])

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        number = next(self.numbers)
        command = {"id": number, "method": method, "params": parameters, "sessionId": self.session}
        self.socket.send(json.dumps(command))
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            message = json.loads(self.socket.recv(timeout=end - time.monotonic()))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._hear(message)

    def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.send("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, script: str) -> Any:
        """The value, once it is true."""
        return until(
            lambda: self.run(script), lambda: f"{script} is not true; {self.complaints}; {self.text('body')[:2000]}"
        )

    def text(self, selector: str) -> str:
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def fill(self, selector: str, value: str) -> None:
        """Replaces what a field holds, as typing does."""
        at = json.dumps(selector)
        self.run(f"(f => {{ f.focus(); f.select(); }})(document.querySelector({at}))")
        self.send("Input.insertText", text=value)

    def press(self, key: str) -> None:
        """One key, down and up."""
        code = {"key": " " if key == "Space" else key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"text": {"Enter": "\r", "Space": " "}[key]} if key in {"Enter", "Space"} else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **code)

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """The size of the window, and which colours are preferred."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, whole: bool = False) -> None:
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _hear(self, message: dict[str, Any]) -> None:
        """Keeps what the console says, what a policy forbade, and what was thrown."""
        about = message.get("params", {})
        match message.get("method"):
            case "Log.entryAdded" if "Failed to load resource" not in about["entry"]["text"]:
                self.complaints.append(about["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(about["exceptionDetails"]))
            case _:
                pass


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A tab of a browser of its own, whose profile is in the folder."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    command = [CHROMIUM, *QUIET.split(), *MORE.split(), f"--user-data-dir={profile}", "about:blank"]
    with (folder / "chromium.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with connect(_address(profile, process), max_size=None, proxy=None) as socket:
            yield _tab(socket)
            try:
                socket.send(json.dumps({"id": 0, "method": "Browser.close"}))
                process.wait(10)
            except (ConnectionClosed, subprocess.TimeoutExpired):
                pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _address(profile: Path, process: "subprocess.Popen[bytes]") -> str:
    port = profile / "DevToolsActivePort"

    def listens() -> bool:
        assert process.poll() is None, (profile.parent / "chromium.log").read_text()
        return port.exists() and port.read_text().count("\n") >= 1

    until(listens, lambda: "Chromium does not say where it listens")
    number, path = port.read_text().split("\n")[:2]
    return f"ws://127.0.0.1:{number}{path}"


def _tab(socket: ClientConnection) -> Page:
    def answer(number: int, method: str, **parameters: Any) -> dict[str, Any]:
        socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (message := json.loads(socket.recv(timeout=PATIENCE_SECONDS))).get("id") != number:
            pass
        return message["result"]

    target = answer(-1, "Target.createTarget", url="about:blank")["targetId"]
    session = answer(-2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    return Page(socket, session)
