"""A headless Firefox for the tests: Debian's firefox-esr, driven by its own WebDriver BiDi, which needs no geckodriver.

Each command is a JSON message on a web socket, answered by one with the same id; between them come the events that the
session has subscribed to.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .browser import Browser

PREFERENCES = {
    "browser.download.folderList": 2,
    "browser.download.useDownloadDir": True,
    "browser.download.alwaysOpenPanel": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.disable_beforeunload": True,
    "intl.accept_languages": "en-US, en",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}
EVENTS = ["log.entryAdded", "network.beforeRequestSent"]


@contextmanager
def firefox() -> Iterator["Firefox"]:
    import websocket

    with tempfile.TemporaryDirectory() as profile, tempfile.TemporaryDirectory() as downloads:
        wanted = PREFERENCES | {"browser.download.dir": downloads}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
        (Path(profile) / "user.js").write_text("".join(lines), encoding="utf-8")
        program = shutil.which("firefox-esr") or "firefox-esr"
        command = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            address = next(
                found[1] for line in process.stderr if (found := re.search(r"listening on (ws://\S+)", line))
            )
            socket = websocket.create_connection(f"{address}/session", suppress_origin=True, timeout=300)
            try:
                yield Firefox(socket, Path(downloads))
            finally:
                socket.close()
                process.terminate()


class Firefox(Browser):
    """The same verbs as for Chromium."""

    def __init__(self, socket: Any, downloads: Path):
        self.socket, self.downloads = socket, downloads
        self.sent, self.events = 0, []
        self.call("session.new", capabilities={})
        self.context = self.call("browsingContext.getTree")["contexts"][0]["context"]
        self.call("session.subscribe", events=EVENTS)

    def call(self, method: str, **params: Any) -> Any:
        """Sends a command, and waits for its result."""
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": params}))
        while (message := json.loads(self.socket.recv())).get("id") != self.sent:
            self.events.append(message)
        if message["type"] == "error":
            raise RuntimeError(f"{method}: {message['message']}")
        return message["result"]

    def go(self, address: str) -> None:
        self.call("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def resize(self, width: int, height: int) -> None:
        self.call("browsingContext.setViewport", context=self.context, viewport={"width": width, "height": height})

    def run(self, script: str, *arguments: Any) -> Any:
        """Runs the body of a function; values travel as JSON."""
        body = f"async (given) => JSON.stringify(await (function () {{ {script} }}).apply(null, JSON.parse(given)))"
        result = self.call(
            "script.callFunction",
            functionDeclaration=body,
            awaitPromise=True,
            target={"context": self.context},
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
        )
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"]) if result["result"]["type"] == "string" else None

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Asks inside the page: each command from outside stops the workers for a while."""
        script = f"""return new Promise((done) => {{
            const end = performance.now() + 1000 * {seconds};
            const look = () => ({condition}) || performance.now() > end ? done({condition}) : setTimeout(look, 50);
            look();
        }});"""
        if not self.run(script):
            raise TimeoutError(condition)

    def press(self, *keys: str) -> None:
        """Presses keys, one after another; a modifier is held until the last."""
        held = [key for key in keys if key in ("\ue008", "\ue009")]
        actions = [{"type": "keyDown", "value": key} for key in held]
        for key in keys:
            if key not in held:
                actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        actions += [{"type": "keyUp", "value": key} for key in held]
        self.call(
            "input.performActions",
            context=self.context,
            actions=[{"type": "key", "id": "keyboard", "actions": actions}],
        )

    def choose_file(self, css: str, path: Path) -> None:
        """Chooses a file in an input, as a user does in the dialog."""
        found = self.call("browsingContext.locateNodes", context=self.context, locator={"type": "css", "value": css})
        element = {"sharedId": found["nodes"][0]["sharedId"]}
        self.call("input.setFiles", context=self.context, element=element, files=[str(path)])

    def logs(self) -> tuple[list[str], list[str]]:
        self.run("return 0")  # what came before stands in the socket before this answer
        events, self.events = self.events, []
        console = [e["params"]["text"] for e in events if e["method"] == "log.entryAdded"]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "network.beforeRequestSent"]
        return console, asked
