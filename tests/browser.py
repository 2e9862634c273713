"""A headless Chromium, and what is looked at in a report with it.

    python -m tests.browser build/demo/report-1000.html build/report-pictures

opens a report as a reader does, and leaves pictures of every page at two widths and on paper.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

AXE = "axe-core"
"""Deque's checker of accessibility, beside the browser: WCAG 2.2 A and AA, as far as a program can tell."""
UNPACKED = Path(__file__).resolve().parent.parent / ".venv" / "browser"
OTHERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "there is no Chromium: `make browser` brings one (needs npm), or PMPM_CHROMIUM names one"
WIDTHS = (1280, 390)


def chromium() -> str | None:
    """Where a Chromium is: the one that is named, the one of `make browser`, or one on the PATH."""
    named = [os.environ.get("PMPM_CHROMIUM", ""), str(UNPACKED / "chromium")]
    there = [path for path in named if path and Path(path).is_file()]
    return next(iter(there), None) or next((path for name in OTHERS if (path := shutil.which(name))), None)


@contextmanager
def open_browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = chromium()
    assert path is not None, NO_BROWSER
    environment = dict(os.environ)
    if "not found" in subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout:
        environment["LD_LIBRARY_PATH"] = str(UNPACKED / "al2023" / "lib")
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=path, env=environment, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


class Reader:
    """One window on a report; whatever the page complains of or asks of a network is kept."""

    def __init__(self, browser: Any, report: Path, width: int = WIDTHS[0]) -> None:
        self.report = report
        self.faults: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.page.on("console", lambda message: self.faults.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self._asked)
        self.page.goto(report.resolve().as_uri())

    def _asked(self, request: Any) -> None:
        if request.url.split("#")[0] != self.report.resolve().as_uri():
            self.faults.append(f"request: {request.url}")

    def go(self, page: str) -> None:
        self.page.evaluate("page => { location.hash = page; }", page)
        self.page.wait_for_selector(f"#{page}.shown")

    def pages(self) -> list[str]:
        found: list[str] = self.page.eval_on_selector_all(".page", "pages => pages.map(page => page.id)")
        return found

    def column(self, table: str, place: int) -> list[str]:
        """The cells of a column as they are shown."""
        cells: list[str] = self.page.eval_on_selector_all(
            f"#{table} tbody tr", "(rows, place) => rows.map(row => row.cells[place].innerText)", place
        )
        return cells

    def press_heading(self, table: str, place: int) -> str:
        """Press a heading by keyboard; how the column says that it is sorted."""
        head = self.page.locator(f"#{table} thead th").nth(place)
        head.locator("button").focus()
        self.page.keyboard.press("Enter")
        return str(head.get_attribute("aria-sort"))

    def barriers(self) -> list[str]:
        """What keeps people out of the page shown, by the checker's rules; nothing where it is not at hand."""
        checker = UNPACKED / "node_modules" / AXE / "axe.min.js"
        if not checker.is_file():
            return []
        self.page.evaluate(checker.read_text(encoding="utf-8"))
        found: list[str] = self.page.evaluate(
            "async () => (await axe.run()).violations.map(v => `${v.id}: ${v.help} (${v.nodes[0].target})`)"
        )
        return found

    def is_too_wide(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def numbers(cells: list[str]) -> list[float]:
    """What is told of the cells; what is left out or no number is dropped."""
    plain = [cell.replace("$", "").replace(",", "").replace("−", "-").replace("%", "") for cell in cells]
    return [float(cell) for cell in plain if cell.lstrip("-").replace(".", "", 1).isdigit()]


def take_pictures(browser: Any, report: Path, folder: Path) -> list[str]:
    """Pictures of every page at each width, the report on paper, and the faults met on the way."""
    folder.mkdir(parents=True, exist_ok=True)
    faults = []
    for width in WIDTHS:
        reader = Reader(browser, report, width)
        for page in reader.pages():
            reader.go(page)
            reader.page.screenshot(path=str(folder / f"{page}-{width}.png"), full_page=True)
            if width == WIDTHS[0]:
                reader.faults += [f"{page}: {barrier}" for barrier in reader.barriers()]
            if reader.is_too_wide():
                reader.faults.append(f"{page} is wider than {width} pixels")
        faults += reader.faults
        reader.page.pdf(path=str(folder / "report.pdf"), format="A4")
        reader.page.close()
    return faults


def read_as_people_do(browser: Any, report: Path) -> None:
    """Sort the networks, compare two the other way round, and find no fault.

    Raises:
        AssertionError: something of it is not as it should be.
    """
    reader = Reader(browser, report)
    reader.go("networks")
    for place in (1, 5):
        assert reader.press_heading("networks-table", place) == "ascending"
        rising = numbers(reader.column("networks-table", place))
        assert rising == sorted(rising)
        assert reader.press_heading("networks-table", place) == "descending"
        falling = numbers(reader.column("networks-table", place))
        assert falling == sorted(falling, reverse=True)
        assert len(rising) == len(falling) > 1
    reader.go("compare")
    first, second = reader.page.locator("#one"), reader.page.locator("#other")
    before, sentence = reader.column("compared", 3), reader.page.inner_text("#verdict")
    names = [box.evaluate("box => box.value") for box in (first, second)]
    first.select_option(names[1])
    second.select_option(names[0])
    after = reader.column("compared", 3)
    assert [-number for number in numbers(before)] == numbers(after)
    assert sentence
    assert reader.page.inner_text("#verdict") != sentence
    assert reader.faults == []
    reader.page.close()


if __name__ == "__main__":
    if chromium() is None:
        print(f"the report was not looked at: {NO_BROWSER}")
        sys.exit(0)
    with open_browser() as opened:
        read_as_people_do(opened, Path(sys.argv[1]))
        met = take_pictures(opened, Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(met) or f"the report was read without a fault; its pictures are in {sys.argv[2]}")
    sys.exit(1 if met else 0)
