"""A headless Chromium, driven by the Chrome DevTools Protocol over a pipe, without any library."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import deque
from pathlib import Path
from select import select
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_S = 60.0


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One browser with one tab; it records requests, errors of the console, and exceptions."""

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._events: deque[dict[str, Any]] = deque()
        self._buffer = b""
        self._next_id = 0
        self._profile = tempfile.mkdtemp(prefix="nip-chromium-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def set_pipes() -> None:
            # Chromium reads commands from descriptor 3 and writes answers to descriptor 4. Both
            # are copied first, because each may be the other's number.
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        executable = find_chromium()
        assert executable is not None
        self._process = subprocess.Popen(
            [
                executable,
                "--headless",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                f"--user-data-dir={self._profile}",
                f"--window-size={width},{height}",
                "about:blank",
            ],
            preexec_fn=set_pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(each for each in targets if each["type"] == "page")
        attached = self._call(
            "Target.attachToTarget", {"targetId": page["targetId"], "flatten": True}
        )
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def close(self) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            self._session = None
            self._call("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        self._events.clear()
        answer = self.call("Page.navigate", url=url)
        if "loaderId" in answer:  # Otherwise only the part after # has changed.
            self._wait_for_event("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(json.dumps(answer["exceptionDetails"])[:1000])
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until a page is loaded and a JavaScript expression is true; return its value.

        An element counts as true, but cannot be returned.
        """
        script = f"document.readyState === 'complete' && ({script})"
        script = f"(value => value instanceof Node ? true : value)({script})"
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):  # A page that is being left has no body.
                if value := self.run(script):
                    return value
            time.sleep(0.05)
        raise TimeoutError(f"never true: {script}; the page: {self.text()[:500]}")

    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    def press(self, key: str) -> None:
        code = {"Enter": 13, "Escape": 27}.get(key, 0)
        text = {} if len(key) > 1 and key != "Enter" else {"text": "\r" if code == 13 else key}
        for kind in ("keyDown", "keyUp"):
            given = text if kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **given
            )

    def resize(self, width: int, height: int = 800) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        """Set what the system prefers: ``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def go_offline(self) -> None:
        self.call(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=0,
            uploadThroughput=0,
        )

    def screenshot(self, path: Path, whole: bool = False) -> None:
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._call(method, params)

    def _call(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        self._next_id += 1
        number = self._next_id
        message: dict[str, Any] = {"id": number, "method": method, "params": params or {}}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def _wait_for_event(self, method: str) -> None:
        while not any(each["method"] == method for each in self._events):
            self._receive()

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._buffer:
            ready, _, _ = select([self._read], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(self._read, 1 << 20) if ready else b""
            if not chunk:
                raise TimeoutError("Chromium does not answer")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = dict(json.loads(line))
        if "method" in message:
            self._events.append(message)
            self._note(message["method"], message["params"])
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(json.dumps(params["args"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}"[:500])
