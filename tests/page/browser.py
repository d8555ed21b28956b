"""A headless Chromium for the tests: from Debian's packages chromium and chromium-driver, driven by selenium.

`firefox.py` drives Firefox by the same verbs.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1200,900",
]  # fmt: skip


PROGRAMS = {"chromium": ("chromium", "chromedriver"), "firefox": ("firefox-esr",)}


def missing(name: str) -> str | None:
    """Why there is no such browser here; None where there is one."""
    for program in PROGRAMS[name]:
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt-get install chromium chromium-driver firefox-esr)"
    try:
        import selenium  # noqa: F401
        import websocket  # noqa: F401
    except ImportError:
        return "selenium or websocket-client is not installed: pip install -e '.[page]'"
    return None


def require(name: str = "chromium") -> None:
    """Skips with the reason where there is no such browser; with MM_JAX_REQUIRE_BROWSER=1 fails."""
    if reason := missing(name):
        pytest.fail(reason) if os.environ.get("MM_JAX_REQUIRE_BROWSER") == "1" else pytest.skip(reason)


@contextmanager
def chromium() -> Iterator["Browser"]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory() as profile, tempfile.TemporaryDirectory() as downloads:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        several = "profile.default_content_setting_values.automatic_downloads"
        options.add_experimental_option("prefs", {"download.default_directory": downloads, several: 1})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        driver.set_script_timeout(300)
        try:
            yield Browser(driver, Path(downloads))
        finally:
            driver.quit()


class Browser:
    """What the tests do with a page. `console` and `requests` hold what the browser logged since `open`."""

    def __init__(self, driver: Any, downloads: Path):
        self.driver = driver
        self.downloads = downloads

    def open(self, path: Path, fragment: str = "", width: int = 1200) -> None:
        """Opens a page from disk, and waits until it has made its words."""
        self.visit(path, fragment, width)
        self.finished()

    def visit(self, path: Path, fragment: str = "", width: int = 1200) -> None:
        """Opens a page from disk."""
        self.go("about:blank")
        self.logs()
        self.resize(width, 900)
        self.go(path.as_uri() + fragment)

    def go(self, address: str) -> None:
        self.driver.get(address)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def finished(self) -> None:
        """Waits until the list is learned, on a page that learns, and for the words that were asked for last."""
        hidden = "['main', 'progress', 'way'].map((id) => document.getElementById(id)?.hidden ?? true).join()"
        self.wait(f"{hidden} === 'false,true,true'")

    def wait(self, condition: str, seconds: float = 60) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, 0.05).until(lambda driver: driver.execute_script(f"return {condition}"))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def text(self, css: str) -> str:
        return self.run("return document.querySelector(arguments[0]).textContent", css)

    def words(self) -> list[str]:
        """All words of the list, in the order that is shown."""
        return self.run("return asText().split('\\n').slice(0, -1)")

    def fill(self, name: str, value: str) -> None:
        """Gives a field of the form a value, as a user does, and waits for the words."""
        self.task("""const input = form.elements[arguments[0]];
            if (input.type === 'checkbox') input.checked = arguments[1] === '1'; else input.value = arguments[1];
            input.dispatchEvent(new Event('input', {bubbles: true}));
            input.dispatchEvent(new Event('change', {bubbles: true}));""", name, value)  # fmt: skip
        self.finished()

    def task(self, script: str, *arguments: Any) -> None:
        """Runs a script as a task of the page's own: what the driver runs is not counted as a long task."""
        self.run(f"window.idle = false; setTimeout(() => {{ {script}; window.idle = true; }})", *arguments)
        self.wait("window.idle")

    def type(self, text: str) -> None:
        script = (
            "const i = document.getElementById('word'); i.value = arguments[0]; i.dispatchEvent(new Event('input'))"
        )
        self.run(script, text)

    def longest_task(self, action: Callable[[], object]) -> float:
        """How long the page did not answer, at most, while an action ran: milliseconds; 0 for less than 50."""
        self.run("""window.longest = 0; window.observer?.disconnect();
            window.observer = new PerformanceObserver((seen) => {
              for (const each of seen.getEntries()) window.longest = Math.max(window.longest, each.duration);
            });
            window.observer.observe({entryTypes: ['longtask']});""")
        action()
        time.sleep(0.3)  # the last entries come late
        return self.run("return window.longest")

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def choose_file(self, css: str, path: Path) -> None:
        """Chooses a file in an input, as a user does in the dialog."""
        self.driver.find_element("css selector", css).send_keys(str(path))

    def saved(self, kind: str, button: str = "") -> Path:
        """Presses a button, by default "Save .txt" or "Save .csv", and waits for the file; removes earlier ones."""
        for path in self.downloads.glob(f"*.{kind}"):
            path.unlink()
        self.run("document.getElementById(arguments[0]).click()", button or kind)
        for _ in range(400):
            begun = [*self.downloads.glob("*.part"), *self.downloads.glob("*.crdownload")]
            found = [path for path in self.downloads.glob(f"*.{kind}") if path.stat().st_size]
            if found and not begun:
                return found[0]
            time.sleep(0.05)
        raise TimeoutError(f"no .{kind} file was saved")

    def logs(self) -> tuple[list[str], list[str]]:
        """The lines of the console, and the addresses asked for, since this was called last."""
        console = [entry["message"] for entry in self.driver.get_log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return console, asked
