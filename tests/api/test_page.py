"""The page in a real browser: what people see, do and hear. Pictures stay in .cache/screenshots."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from api import page as files
from flows.cli import main
from tests.api.trends import HOSTILE, Serving, challenge, later, put, serving, trend
from tests.services import chromium

pytestmark = pytest.mark.browser
SHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
SHOWN = " ".join(HOSTILE.replace("\u202e", "").replace("\u202c", "").split("\x1b")[0].split())
MOST_BYTES = 100_000
expect.set_options(timeout=20_000)  # a build machine may be busy

CONTRAST = """() => {
  const channel = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  const rgb = (text) => {
    ink.clearRect(0, 0, 1, 1); ink.fillStyle = text; ink.fillRect(0, 0, 1, 1);
    return [...ink.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) =>
    0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found[3] > 200) return found;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.getClientRects().length) continue;
    if (node.closest(".unseen, script, noscript, option")) continue;
    const style = getComputedStyle(node);
    const colour = node.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(rgb(colour)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) poor.push([walker.currentNode.data, ratio.toFixed(2)]);
  }
  return poor;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium.running() as one:
        yield one


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[Serving]:
    """The store of all tests, served; nothing here changes it."""
    with serving(store) as one:
        yield one


@pytest.fixture
def desk(browser: Browser) -> Iterator[Page]:
    """A wide window that fails the test for any error on its page."""
    with_errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = watched(context, with_errors)
    yield page
    context.close()
    assert with_errors == []


def watched(context: BrowserContext, errors: list[str]) -> Page:
    """A page whose errors are noted."""
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda said: (
            errors.append(said.text)
            if said.type == "error" and "Failed to load resource" not in said.text
            else None
        ),
    )
    return page


def shot(page: Page, name: str) -> None:
    """Keep a picture of all of the page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def rows(page: Page) -> list[str]:
    """The ids of the trends that are listed."""
    return page.eval_on_selector_all(".row", "all => all.map((one) => one.dataset.trend)")


def test_the_list_is_filtered_by_an_address_that_can_be_kept(desk: Page, server: Serving) -> None:
    desk.goto(server.address)
    expect(desk.locator(".row")).to_have_count(50)
    desk.click("text=Show more")
    expect(desk.locator(".row")).to_have_count(100)
    desk.click("[data-stage=peaking]")
    expect(desk.locator(".row")).to_have_count(30)
    desk.select_option("[name=kind]", "hashtag")
    expect(desk.locator(".row")).to_have_count(10)
    desk.fill("#search", "TREND1")
    expect(desk.locator(".row")).to_have_count(3)
    assert "stage=peaking&kind=hashtag&q=TREND1" in desk.url
    found = rows(desk)
    desk.reload()
    expect(desk.locator(".row")).to_have_count(3)
    assert rows(desk) == found
    desk.fill("#search", "no such words")
    expect(desk.locator(".nothing")).to_contain_text("No trend is like this")
    desk.click("text=Clear the filters")
    expect(desk.locator(".row")).to_have_count(50)
    desk.select_option("[name=sort]", "reels")
    expect(desk.locator(".row h3").nth(1)).to_have_text("#trend119")
    shot(desk, "list")


def test_a_trend_has_a_page_to_go_to_and_back_from(desk: Page, server: Serving) -> None:
    desk.goto(server.address)
    desk.click("[data-stage=fading]")
    desk.fill("#search", "#trend7")
    expect(desk.locator(".row")).to_have_count(4)
    desk.click(".row[data-trend='01KT000007'] h3 a")
    expect(desk.locator("h1")).to_have_text("#trend7")
    expect(desk).to_have_title("#trend7 · Groundswell")
    assert desk.evaluate("document.activeElement.tagName") == "H1"
    chart = desk.locator(".plot svg.chart")
    expect(chart).to_have_count(1)
    assert "Reels an hour from" in (chart.locator("title").first.text_content() or "")
    for layer in ("line", "expected", "band", "forecast", "ahead", "ribbon", "flag"):
        assert chart.locator(f".{layer}").count() >= 1, layer
    expect(desk.locator(".life li")).to_have_count(3)
    expect(desk.locator(".near a")).to_have_count(2)
    chart.hover(position={"x": 300, "y": 120})
    expect(desk.locator(".tip")).to_contain_text("expected 1.5")
    desk.click("text=The same as a table")
    expect(desk.locator(".figures tbody tr")).to_have_count(24)
    desk.go_back()
    expect(desk.locator(".row")).to_have_count(4)
    expect(desk.locator("#search")).to_have_value("#trend7")


def test_hostile_texts_are_shown_as_texts(desk: Page, server: Serving) -> None:
    desk.goto(server.address)
    first = desk.locator(".row").first
    expect(first.locator("h3 bdi")).to_contain_text("<script>window.owned=1</script>")
    shown = first.inner_text()
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    desk.click(".row h3 a")
    expect(desk.locator("h1 bdi")).to_contain_text("<script>")
    expect(desk.locator(".graph .node")).to_have_count(3)
    shot(desk, "trend")
    assert desk.evaluate("window.owned") is None
    assert desk.locator("main script, main img").count() == 0
    desk.goto(f"{server.address}/#q={'<img src=x onerror=window.owned=1>'}")
    expect(desk.locator("#search")).to_have_value("<img src=x onerror=window.owned=1>")
    assert desk.evaluate("window.owned") is None


def test_news_appears_without_loading_the_page_again(desk: Page, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with serving(path) as server:
        desk.goto(server.address)
        expect(desk.locator(".nothing")).to_contain_text("Nothing has been told yet")
        shot(desk, "empty")
        desk.evaluate("window.same = true")
        put(path, [trend(5)])
        expect(desk.locator(".row")).to_have_count(1)
        put(path, [later(trend(5), authors=777), trend(6)])
        expect(desk.locator(".row")).to_have_count(2)
        expect(desk.locator(".row[data-trend='01KT000005'] .people dd")).to_have_text("777")
        desk.click(".row[data-trend='01KT000005'] h3 a")
        expect(desk.locator("article")).to_have_attribute("data-revision", "2")
        put(path, [later(later(trend(5)), name="#renamed")])
        expect(desk.locator("h1")).to_have_text("#renamed")
        assert desk.evaluate("window.same") is True


def test_a_server_that_goes_away_is_told_and_what_it_said_stays(desk: Page, store: Path) -> None:
    with serving(store) as server:
        desk.goto(server.address)
        expect(desk.locator(".pulse")).to_have_text("Live")
    expect(desk.locator(".pulse")).to_have_text("Connection lost, trying again")
    expect(desk.locator(".row")).to_have_count(50)


def test_what_people_say_is_kept_and_counted(desk: Page, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    put(path, [trend(5), trend(6)])
    with serving(path) as server:
        desk.goto(f"{server.address}/#trend=01KT000005")
        desk.click("button.real")
        expect(desk.locator("button.real")).to_have_attribute("aria-pressed", "true")
        expect(desk.locator(".judging [role=status]")).to_have_text("1 say real, 0 say noise")
        desk.click("button.noise")
        expect(desk.locator(".judging [role=status]")).to_have_text("0 say real, 1 say noise")
        desk.goto(f"{server.address}/#trend=01KT000006")
        expect(desk.locator("h1")).to_have_text("#trend6")
        desk.click("button.real")
        expect(desk.locator(".judging [role=status]")).to_have_text("1 say real, 0 say noise")
        desk.click("text=All trends")
        expect(desk.locator(".tiles")).to_contain_text("50%")
    said = [json.loads(line) for line in path.with_suffix(".jsonl").read_bytes().splitlines()]
    assert [one["verdict"] for one in said] == ["real", "noise", "real"]
    assert len({one["by"] for one in said}) == 1


def test_examples_lead_to_the_platform_and_nowhere_else(desk: Page, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    put(path, [trend(5, examples=("12", '"/../?a=b#"'))])
    with serving(path, reel_url="https://video.example/{reel_id}/") as server:
        desk.goto(f"{server.address}/#trend=01KT000005")
        links = desk.locator(".reels a")
        expect(links).to_have_count(2)
        expect(links.first).to_have_attribute("href", "https://video.example/12/")
        expect(links.last).to_have_attribute(
            "href", "https://video.example/%22%2F..%2F%3Fa%3Db%23%22/"
        )
        expect(links.last).to_have_attribute("rel", "noreferrer noopener")


def test_a_trend_is_called_what_people_call_it(desk: Page, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    put(path, [trend(5)])
    with serving(path, names=tmp_path / "names.jsonl") as server:
        desk.goto(f"{server.address}/#trend=01KT000005")
        desk.click("text=Call it something else")
        desk.fill(".renaming input", "<b>Mine</b>")
        desk.keyboard.press("Enter")
        expect(desk.locator("h1")).to_have_text("<b>Mine</b>")
        desk.click("text=All trends")
        expect(desk.locator(".row h3")).to_have_text("<b>Mine</b>")
        desk.fill("#search", "#trend5")  # it is still found by the name that it came with
        expect(desk.locator(".row")).to_have_count(1)


def test_a_radar_with_a_key_asks_for_it(desk: Page, store: Path) -> None:
    with serving(store, keys=("a-key-of-some-length",)) as server:
        desk.goto(server.address)
        desk.fill("#key", "a-wrong-key-of-some-length")
        desk.click("text=Open")
        expect(desk.locator(".bad")).to_have_text("That is not a key of this radar")
        desk.fill("#key", "a-key-of-some-length")
        desk.keyboard.press("Enter")
        expect(desk.locator(".row")).to_have_count(50)
        expect(desk.locator(".pulse")).to_have_text("Live")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_and_everything_can_be_read(
    browser: Browser, server: Serving, scheme: Any
) -> None:
    errors: list[str] = []
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True, locale="en-GB",
        reduced_motion="reduce",
    )  # fmt: skip
    page = watched(context, errors)
    page.goto(server.address)
    expect(page.locator(".row")).to_have_count(50)
    for name in ("list", "trend"):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.evaluate(CONTRAST) == []
        page.screenshot(path=SHOTS / f"phone-{name}-{scheme}.png")
        if name == "list":
            page.locator(".row h3 a").first.tap()
            expect(page.locator(".plot svg.chart")).to_have_count(1)
    context.close()
    assert errors == []


def test_all_of_it_works_without_a_mouse_and_has_names(desk: Page, server: Serving) -> None:
    desk.goto(server.address)
    expect(desk.locator(".row")).to_have_count(50)
    desk.keyboard.press("Tab")
    expect(desk.locator(".skip")).to_be_focused()
    desk.keyboard.press("/")
    expect(desk.locator("#search")).to_be_focused()
    desk.keyboard.type("#trend7 ")
    expect(desk.locator(".row")).to_have_count(11)
    expect(desk.locator("#search")).to_be_focused()  # although the list was made anew
    nameless(desk)
    desk.locator(".row h3 a").first.focus()
    desk.keyboard.press("Enter")
    expect(desk.locator("article")).to_have_count(1)
    nameless(desk)
    desk.keyboard.press("Escape")
    expect(desk.locator(".row")).to_have_count(11)


def nameless(page: Page) -> None:
    """Fail for what can be focused, or is a picture, and has no name for a screen reader."""
    session = page.context.new_cdp_session(page)
    session.send("Accessibility.enable")
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    found = [node for node in nodes if not node.get("ignored")]
    wanted = {"button", "link", "combobox", "searchbox", "textbox", "img", "region"}
    unnamed = [
        node["role"]["value"]
        for node in found
        if node["role"]["value"] in wanted and not node.get("name", {}).get("value", "").strip()
    ]
    assert unnamed == []
    levels = [
        next(p["value"]["value"] for p in node["properties"] if p["name"] == "level")
        for node in found
        if node["role"]["value"] == "heading"
    ]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels)), levels
    session.detach()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_axe_finds_nothing_to_complain_of(
    browser: Browser, server: Serving, scheme: Any, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.base")
    rules = axe.AXE_FILE_PATH.read_text("utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce",
        locale="en-GB", bypass_csp=True,
    )  # fmt: skip
    page = watched(context, [])
    page.goto(f"{server.address}/#q=trend7")
    expect(page.locator(".row")).to_have_count(11)
    for name in ("list", "trend"):
        if name == "trend":
            page.click(".row h3 a")
            expect(page.locator(".plot svg.chart")).to_have_count(1)
        page.evaluate(rules + ";0")
        found = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in found] == []
    context.close()


def test_it_speaks_russian_too(browser: Browser, server: Serving) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="ru-RU")
    errors: list[str] = []
    page = watched(context, errors)
    page.goto(server.address)
    expect(page.locator("h1")).to_have_text("61 тренд растёт")
    assert page.evaluate("document.documentElement.lang") == "ru"
    why = page.locator(".row[data-trend='01KT000112'] .why")
    expect(why).to_have_text("20 чел. за 3 ч использовали это, ожидалось 2.5")
    places = page.locator("[name=scope] option")
    expect(places).to_have_text(["Везде", "Бразилия"])
    page.click("text=EN")
    expect(page.locator("h1")).to_contain_text("trends are rising")
    expect(places).to_have_text(["Everywhere", "Brazil"])
    assert "lang=en" in page.url
    context.close()
    assert errors == []


def test_it_is_small_and_asks_nobody_else(desk: Page, server: Serving) -> None:
    asked: list[str] = []
    desk.on("request", lambda request: asked.append(request.url))
    desk.goto(server.address)
    expect(desk.locator(".row")).to_have_count(50)
    assert all(url.startswith((server.address, "data:")) for url in asked)
    assert sum(len(file.body) for file in files.files().values()) < MOST_BYTES


def test_a_report_is_one_file_that_anyone_can_open(
    desk: Page, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "radar.html"
    assert main(["report", str(made), "--store", str(store)]) == 0
    assert re.fullmatch(rf"{made}: 121 trends \(\d\.\d MB\)\n", capsys.readouterr().out)
    asked: list[str] = []
    desk.on("request", lambda request: asked.append(request.url))
    desk.goto(made.as_uri())
    expect(desk.locator(".row")).to_have_count(121)
    expect(desk.locator(".pulse")).to_have_text("A report: nothing here changes")
    desk.click("[data-stage=fading]")
    expect(desk.locator(".row")).to_have_count(31)
    desk.fill("#search", "trend7")
    expect(desk.locator(".row[data-trend='01KT000007']")).to_have_count(1)
    desk.click(".row[data-trend='01KT000007'] h3 a")
    expect(desk.locator(".plot svg.chart")).to_have_count(1)
    expect(desk.locator(".life li")).to_have_count(3)
    desk.goto(made.as_uri() + f"#trend={challenge().trend_id}")
    expect(desk.locator("h1 bdi")).to_contain_text("<script>")
    assert desk.evaluate("window.owned") is None
    assert {url.split("#")[0] for url in asked if not url.startswith("data:")} == {made.as_uri()}
