"""How the page looks and is reached: widths, both schemes, contrast, the keyboard, axe's rules. Makes the screenshots."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from page import Page
from scenes import Background, fill
from selenium.webdriver.common.keys import Keys

from harness import Bridge

StartBridge = Callable[..., Bridge]
VIEWS = ("start", "chat", "activity", "approvals", "sessions", "connect", "bridge")
GROUNDS = {"light": "rgb(244, 246, 248)", "dark": "rgb(14, 18, 23)"}
AXE = files("axe_core_python").joinpath("axe.min.js").read_text()


def open_view(page: Page, view: str) -> None:
    page.script("location.hash = arguments[0]", f"#/{view}")
    page.wait_for(lambda: page.is_shown(f"view-{view}"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_looks(
    plan_bridge: Bridge, page: Page, screenshots: Path, scheme: str, language: str
) -> None:
    page.languages({"en": "en-US,en", "zh": "zh-CN,zh"}[language])
    page.scheme(scheme)
    page.open(plan_bridge, "start")
    for width in (1440, 390):
        page.size(width)
        page.screenshot(screenshots / f"gate-{scheme}-{language}-{width}.png")
        assert page.overflow() == []
    page.sign_in()
    page.wait_for(lambda: page.rows("rail ul") and page.is_shown("view-start"))
    ready = {"en": "Ready", "zh": "就绪"}[language]
    page.wait_for(lambda: page.text("state") == ready)
    page.screenshot(screenshots / f"empty-{scheme}-{language}-390.png")
    fill(plan_bridge)
    asking = Background(
        lambda: plan_bridge.chat("demo: approval", session_id="kitchen renovation")
    )
    with (
        plan_bridge.open_stream(
            "demo: tokens=4000 delay=50", session_id="research notes 2026"
        ),
        plan_bridge.open_stream("demo: hang"),
    ):
        page.wait_for(lambda: page.is_shown("approvals"))
        for view in VIEWS:
            open_view(page, view)
            for width in (1440, 768, 390):
                page.size(width)
                assert page.script("return innerWidth") == width
                assert page.overflow() == [], (view, width)
                page.screenshot(screenshots / f"{view}-{scheme}-{language}-{width}.png")
                page.size(width)
            assert low_contrast(page) == [], view
        ground = page.script("return getComputedStyle(document.body).backgroundColor")
        assert ground == GROUNDS[scheme]
        open_view(page, "approvals")
        page.wait_for(lambda: not page.all("#approval-rows .decisions [aria-disabled]"))
        page.script(
            "document.querySelector('#approval-rows .decisions > button').click()"
        )
    asking.result()


@pytest.mark.parametrize("width", [320, 560, 601, 1000])
def test_no_overflow_in_between(plan_bridge: Bridge, page: Page, width: int) -> None:
    fill(plan_bridge)
    page.open_signed_in(plan_bridge, "sessions")
    page.size(width)
    page.wait_for(lambda: page.rows("session-rows"))
    for view in VIEWS:
        open_view(page, view)
        assert page.overflow() == [], view
    open_view(page, "connect")
    for tab in page.all("#tabs button"):
        page.script("arguments[0].click()", tab)
        assert page.overflow() == [], tab.text


def test_a_phone_has_room_for_a_finger(plan_bridge: Bridge, page: Page) -> None:
    """Targets of 44 pixels (WCAG 2.2, 2.5.5), but links in a line of text."""
    page.open_signed_in(plan_bridge, "sessions")
    for width in (390, 360):
        page.size(width, 844)
        for view in VIEWS:
            open_view(page, view)
            assert page.overflow() == [], (view, width)
            small = page.script(
                """
                return [...document.querySelectorAll("button, select, input, a.button, #rail a, summary")]
                  .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 44)
                  .map((node) => node.outerHTML.slice(0, 120));
                """
            )
            assert small == [], (view, width)
            cut = page.script(
                "return [...document.querySelectorAll('#rail a span')]"
                ".filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.textContent)"
            )
            assert cut == [], (view, width)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(plan_bridge: Bridge, page: Page, scheme: str) -> None:
    """The rules of WCAG 2.1 A and AA and the best practices, of Deque's axe-core, for every view and the gate."""
    page.scheme(scheme)
    page.open(plan_bridge)
    assert axe(page) == []
    fill(plan_bridge)
    page.sign_in()
    page.wait_for(lambda: page.text("state") == "Ready")
    asking = Background(
        lambda: plan_bridge.chat("demo: approval", session_id="kitchen renovation")
    )
    with plan_bridge.open_stream("demo: tokens=4000 delay=50", session_id="notes"):
        page.wait_for(lambda: page.is_shown("approvals"))
        for width in (1280, 390):
            page.size(width)
            for view in VIEWS:
                open_view(page, view)
                for row in page.all("#turn-rows .disclose[aria-expanded=false]"):
                    page.script("arguments[0].click()", row)
                assert axe(page) == [], (view, width)
        open_view(page, "approvals")
        page.wait_for(lambda: not page.all("#approval-rows .decisions [aria-disabled]"))
        page.script(
            "document.querySelector('#approval-rows .decisions > button').click()"
        )
    asking.result()
    open_view(page, "sessions")
    page.wait_for(lambda: page.rows("session-rows"))
    page.script("[...document.querySelectorAll('#session-rows button')].at(-1).click()")
    page.wait_for(lambda: page.is_shown("ask"))
    assert axe(page) == []


def axe(page: Page) -> list[str]:
    """What axe finds, a line for each element. It runs beside the page, whose policy would not let it in."""
    page.script(f"if (!window.axe) {{ {AXE} }}")
    found = page.browser.execute_async_script(
        "const done = arguments[0];"
        "axe.run(document, { resultTypes: ['violations'] }).then("
        "  (result) => done(result.violations), (error) => done([{ id: String(error), nodes: [] }]))"
    )
    return [
        f"{rule['id']}: {node.get('html', '')[:160]} {node.get('failureSummary', '')}"
        for rule in found
        for node in rule["nodes"] or [{}]
    ]


def low_contrast(page: Page) -> list[str]:
    """Texts whose contrast with their ground is below 4.5 (WCAG 2.2, 1.4.3)."""
    return list(
        page.script("""
        const parse = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = (c) => [0, 1, 2].map((i) => c[i] / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = (node) => {
          for (let n = node; n; n = n.parentElement) {
            const c = parse(getComputedStyle(n).backgroundColor);
            if (c.length < 4 || c[3] > 0) return c;
          }
          return [255, 255, 255];
        };
        const found = [];
        for (const node of document.querySelectorAll("#app *")) {
          const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
          if (!own || !node.checkVisibility() || node.closest(":disabled, .unseen")) continue;
          const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
          const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.textContent.slice(0, 40)}`);
        }
        return found;
        """)
    )


@pytest.mark.parametrize(
    ("view", "awaited", "names"),
    [
        (
            "sessions",
            "#session-rows > li",
            ["Search sessions", "New chat", "Forget session kitchen renovation"],
        ),
        ("activity", "#turn-rows > li", ["Search activity", "All", "Failed"]),
        (
            "connect",
            "#panel pre",
            ["Model", "Show my key", "OpenWebUI", "Copy URL", "Copy Headers"],
        ),
        ("approvals", "#notify", ["Notify me"]),
        ("bridge", "#limit-rows > li", []),
    ],
)
def test_everything_is_reached_with_the_keyboard(
    plan_bridge: Bridge, page: Page, view: str, awaited: str, names: list[str]
) -> None:
    fill(plan_bridge)
    page.open_signed_in(plan_bridge, view)
    page.wait_for(lambda: page.texts(awaited))
    # The first stop of the page is the way past the rail, the next is the rail.
    first = page.script(
        "return [...document.querySelectorAll('a, button, input')].find((n) => n.checkVisibility())"
    )
    assert first.accessible_name == "Skip to the content"
    page.script("arguments[0].focus()", first)
    reached = reach(page)
    assert reached[0] == "Chat"
    for name in ["Sign out", "中文: switch to Chinese", *names]:
        assert name in reached
    unnamed = page.script(
        "return [...document.querySelectorAll('button, input:not([hidden]), select, textarea')]"
        ".filter((n) => !n.textContent.trim() && !n.labels?.length && !n.getAttribute('aria-label')"
        " && n.checkVisibility()).length"
    )
    assert unnamed == 0


def reach(page: Page) -> list[str]:
    """The names of all that the Tab key reaches, each with a visible focus."""
    reached = []
    for _ in range(80):
        page.press(Keys.TAB)
        focused = page.focused()
        if focused.tag_name == "body":
            break
        name = focused.accessible_name
        assert name, focused.get_attribute("outerHTML")
        outline = focused.value_of_css_property("outline-style")
        assert outline == "solid", f"the focus on {name} is not visible"
        reached.append(name)
    return reached


def test_reduced_motion_is_respected(demo: Bridge, page: Page) -> None:
    page.open_signed_in(demo, "activity")
    page.id("filter-running").click()
    for reduced, names in ((True, {"none"}), (False, {"pulse"})):
        page.scheme("light", reduced_motion=reduced)
        with demo.open_stream("demo: first=20000 tokens=1"):
            page.wait_for(lambda: page.rows("turn-rows"))
            found = page.script(
                "return getComputedStyle(document.querySelector('.doing .dot')).animationName"
            )
            assert {found} == names
        page.wait_for(lambda: page.is_shown("turns-empty"))
