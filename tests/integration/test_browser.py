"""The app in a real browser: a headless Chromium opens the page, reads it, presses keys and saves a picture.

The terminal is drawn on a canvas, so what the page shows is read from what its WebSocket brought; that it is
drawn is seen in a picture of the page.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip(
    "textual_serve", reason="the extra web is not installed: pip install -r requirements-dev.txt"
)
pytest.importorskip("selenium", reason="selenium is not installed: pip install -r requirements-dev.txt")

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.integration

_PATIENCE_S = 60
_FLAGS = (
    "--headless",
    "--no-sandbox",  # a container's root has no other way
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,800",
)

_LISTENING = """
window.brought = "";
window.broken = [];
document.addEventListener("securitypolicyviolation", (event) => window.broken.push(event.blockedURI));
const Socket = window.WebSocket;
window.WebSocket = class extends Socket {
  constructor(...given) {
    super(...given);
    const reader = new TextDecoder();
    this.addEventListener("message", (event) => {
      if (typeof event.data !== "string") window.brought += reader.decode(event.data, {stream: true});
    });
  }
};
"""

_COLOURS = """
const [shot, done] = arguments;
const picture = new Image();
picture.onload = () => {
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const data = context.getImageData(0, 0, picture.width, picture.height).data;
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 3).join());
  done(seen.size);
};
picture.src = "data:image/png;base64," + shot;
"""
"""How many colours a picture has."""


def _program(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"there is no {names[0]} here: apt-get install chromium chromium-driver (Debian)")
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A Chromium with a profile of its own, which notes what every page's WebSocket brings."""
    options = Options()
    options.binary_location = _program("chromium", "chromium-browser", "google-chrome")
    for flag in _FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(service=Service(_program("chromedriver")), options=options)
    started.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _LISTENING})
    yield started
    started.quit()


@pytest.fixture
def page(browser: webdriver.Chrome, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """The page of an app that has diagnosed a server with an expired certificate."""
    command = [sys.executable, "-m", "diagnose", "serve", "--web", "--demo", "tls-expired"]
    state = os.environ | {"DIAGNOSE_STATE_DIR": str(tmp_path), "DIAGNOSE_KEYRING": "off"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=state)
    assert server.stdout is not None
    try:
        browser.get(server.stdout.readline().strip())
        shows(browser, "TLS003")
        yield browser
    finally:
        browser.get("about:blank")
        server.terminate()
        server.communicate(timeout=_PATIENCE_S)


def text_of(browser: webdriver.Chrome) -> str:
    """All that the app has drawn so far, without the sequences that say where and how."""
    brought = str(browser.execute_script("return window.brought"))
    return re.sub(r"\x1b\[[0-9;?$]*[a-zA-Z]", "", brought)


def shows(browser: webdriver.Chrome, text: str) -> None:
    WebDriverWait(browser, _PATIENCE_S).until(
        lambda _: text in text_of(browser), f"the app never showed {text}"
    )


def presses(browser: webdriver.Chrome, *keys: str) -> None:
    browser.execute_script("window.brought = ''")
    ActionChains(browser).send_keys(*keys).perform()


def test_the_failing_step_and_its_cause_are_on_the_page(page: webdriver.Chrome) -> None:
    shows(page, "FAILED")
    shows(page, "expired on")


def test_the_page_is_drawn(page: webdriver.Chrome) -> None:
    colours = page.execute_async_script(_COLOURS, page.get_screenshot_as_base64())
    assert colours > 20, "a page without the terminal has a colour or two"


def test_a_key_explains_the_code(page: webdriver.Chrome) -> None:
    presses(page, "e")
    shows(page, "What it means")


def test_nothing_is_loaded_from_elsewhere(page: webdriver.Chrome) -> None:
    loaded: list[str] = page.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    origin = page.execute_script("return location.origin")
    assert any(url.endswith("textual.js") for url in loaded)
    assert [] == [url for url in loaded if not url.startswith((f"{origin}/", "data:"))]
    assert [] == page.execute_script("return window.broken")
    logged: Any = cast(Any, page).get_log("browser")
    assert [] == [entry["message"] for entry in logged if entry["level"] == "SEVERE"]


def test_the_end_of_the_app_is_said_and_another_one_can_be_started(page: webdriver.Chrome) -> None:
    presses(page, "q")
    again = WebDriverWait(page, _PATIENCE_S).until(lambda _: _visible(page, "again"))
    again.click()
    shows(page, "TLS003")


def _visible(page: webdriver.Chrome, name: str) -> Any:
    found = page.find_element("id", name)
    return found if found.is_displayed() else None
