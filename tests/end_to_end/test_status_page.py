"""The status page in a real browser, from the real server: it shows, renews itself, and says when it is old."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import pytest

from exporter.exposition import negotiation
from exporter.model.report import Report
from exporter.web import page, server
from exporter.web.status import Status
from tests.end_to_end import chromium
from tests.unit.web.scenes import SCENES

PHONE, DESKTOP = 390, 1200
RENEW: Final = "document.dispatchEvent(new Event('visibilitychange'))"
"""As when somebody comes back to the tab."""

# Least contrast of any text that is shown against what lies behind it (WCAG), and the text.
CONTRAST: Final = """
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (colours) => {  // painted one over the other, as the browser would
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility()) continue;
    const behind = [];
    for (let at = element; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
    const back = over(behind), front = over([...behind, getComputedStyle(element).color]);
    const [high, low] = [light(back), light(front)].sort((a, b) => b - a);
    found.push([(high + 0.05) / (low + 0.05), text]);
  }
  return found.sort((a, b) => a[0] - b[0])[0];
})()
"""


OVERFLOWING: Final = """
[...document.querySelectorAll("section")].filter((card) => card.scrollWidth > card.clientWidth).map((card) =>
  card.innerText.slice(0, 40))
"""
"""Cards that something sticks out of."""


class Content:
    """One scene after the other, as the test says."""

    def __init__(self, scene: str) -> None:
        self.scene = scene

    def metrics(self, encoding: negotiation.Encoding) -> bytes:
        return b""

    def reports(self) -> Sequence[Report]:
        return SCENES[self.scene][0]

    def status(self) -> Status:
        return SCENES[self.scene][1]


@contextlib.asynccontextmanager
async def shown(content: Content) -> AsyncIterator[tuple[chromium.Page, str]]:
    async with (
        server.serving(content, page=page, address="127.0.0.1:0") as port,
        chromium.page() as browser,
    ):
        yield browser, f"http://127.0.0.1:{port}/"


async def test_every_scene_is_readable_on_a_phone_and_a_desktop_in_light_and_dark() -> None:
    content = Content("idle")
    async with shown(content) as (browser, url):
        for content.scene in SCENES:
            for width in (PHONE, DESKTOP):
                for dark in (False, True):
                    where = f"{content.scene}, {width} px, dark: {dark}"
                    await browser.look(width=width, dark=dark)
                    await browser.open(url)
                    await browser.ask("for (const hidden of document.querySelectorAll('details')) hidden.open = true")
                    assert await browser.ask("document.scrollingElement.scrollWidth") <= width, where
                    assert await browser.ask(OVERFLOWING) == [], where
                    contrast, text = await browser.ask(CONTRAST)
                    assert contrast >= 4.5, f"{where}: {text}"
        assert browser.complaints == []


async def test_it_renews_itself_in_place_and_keeps_what_was_unfolded() -> None:
    content = Content("under-way")
    async with shown(content) as (browser, url):
        await browser.open(url)
        assert await browser.ask("document.querySelector('h1').textContent") == "v1.3.0 → v1.4.0"
        assert "On track" in await browser.ask("document.title")
        await browser.ask("window.sameDocument = true; document.querySelector('#resources > summary').click()")
        content.scene = "failed"
        await browser.until("document.title.includes('Failed')")  # by itself, 2 s later at most
        assert await browser.ask("window.sameDocument")
        assert await browser.ask("document.querySelector('#resources').open")
        assert not await browser.ask("document.querySelector('#objects').open")
        assert "team-a/vm-a1" in await browser.ask("document.body.innerText")
        assert browser.complaints == []


async def test_it_says_when_the_exporter_does_not_answer_and_recovers() -> None:
    content = Content("under-way")
    warning = "document.getElementById('stale').checkVisibility()"
    async with chromium.page() as browser:
        async with server.serving(content, page=page, address="127.0.0.1:0") as port:
            await browser.open(f"http://127.0.0.1:{port}/")
            assert not await browser.ask(warning)
        await browser.ask(RENEW)
        await browser.until(warning)
        assert "v1.3.0 → v1.4.0" in await browser.ask("document.body.innerText")
        content.scene = "passed"
        async with server.serving(content, page=page, address=f"127.0.0.1:{port}"):
            await browser.ask(RENEW)
            await browser.until(f"!{warning}")
            assert "Passed" in await browser.ask("document.body.innerText")


async def test_a_text_that_is_being_copied_is_left_alone() -> None:
    content = Content("failed")
    async with shown(content) as (browser, url):
        await browser.open(url)
        await browser.ask("getSelection().selectAllChildren(document.querySelector('h1'))")
        content.scene = "passed"
        await browser.ask(RENEW)
        await browser.ask("fetch(location.href).then((answer) => answer.text())")  # a renewal would be done by then
        assert await browser.ask("getSelection().toString()") == "v1.3.0 → v1.4.0"
        assert "Failed" in await browser.ask("document.body.innerText")
        await browser.ask(f"getSelection().removeAllRanges(); {RENEW}")
        await browser.until("document.body.innerText.includes('Passed')")


@pytest.mark.parametrize(
    "injected", ["<img src=x onerror='window.injected = 1'>", "<script>window.injected = 1</script>"]
)
async def test_the_browser_runs_nothing_but_our_script(injected: str) -> None:
    """Even if the page let markup through, the policy would stop it."""

    class Careless:
        def render(self, reports: Sequence[Report], status: Status) -> str:
            return page.render(reports, status).replace("</h1>", f"</h1>{injected}")

        def policy(self) -> str:
            return page.policy()

    async with (
        server.serving(Content("idle"), page=Careless(), address="127.0.0.1:0") as port,
        chromium.page() as browser,
    ):
        await browser.open(f"http://127.0.0.1:{port}/")
        await browser.until("document.querySelector('main') !== null")
        assert await browser.ask("window.injected") is None
        assert any("Content Security Policy" in complaint for complaint in browser.complaints)
