"""The Chromium of the system, without a window; `CHROMIUM` names another program."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.services.processes import missing

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
HOW = "it is not installed; `sudo apt-get install chromium`, or set CHROMIUM to a program"


@contextmanager
def running() -> Iterator[Browser]:
    """A browser for the length of the block, which holds the event loop of its thread."""
    given = os.environ.get("CHROMIUM")
    program = given or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing("Chromium", HOW)
    # As root there is no sandbox; the pages are our own.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
