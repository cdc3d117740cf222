"""What a scanner types is read whole, whatever input method is on and wherever the focus is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from yuheng.operations import terminal

pytestmark = [pytest.mark.browser]

MODULES = Path(terminal.__file__).parent / "static" / "terminal"

HARNESS = """
import { listen } from "./scanner.js";
window.now = 1000;
window.codes = [];
window.pieces = 0;
window.wedge = listen(window, (code) => window.codes.push(code), () => { window.pieces += 1; }, () => window.now);
/* keys: [key, code, more]; every key `gap` ms after the one before */
window.type = (keys, gap, target = document.activeElement ?? document.body) => {
  for (const [key, code, more] of keys) {
    window.now += gap;
    const event = new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true, composed: true, ...more });
    const isTyped = target.dispatchEvent(event);
    if (isTyped && key.length === 1 && target.matches("input, textarea")) target.value += key;
    target.dispatchEvent(new KeyboardEvent("keyup", { key, code, bubbles: true, ...more }));
  }
};
window.isReady = true;
"""

ENTER = ["Enter", "Enter", {}]


@pytest.fixture
def keys(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()

    def answer(route: Any) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        if name == "harness.js":
            route.fulfill(body=HARNESS, content_type="text/javascript")
        elif name.endswith(".js"):
            route.fulfill(body=(MODULES / name).read_text(encoding="utf-8"), content_type="text/javascript")
        else:
            body = '<!doctype html><input id="note"><button id="b">x</button><script type="module" src="harness.js">'
            route.fulfill(body=body + "</script>", content_type="text/html")

    page.route("http://terminal.test/**", answer)
    page.goto("http://terminal.test/")
    page.wait_for_function("window.isReady")
    yield page
    context.close()


def plain(text: str) -> list[Any]:
    codes = {"-": "Minus", ":": "Semicolon", ".": "Period", "/": "Slash"}
    found: list[Any] = []
    for char in text:
        code = f"Digit{char}" if char.isdigit() else codes.get(char, f"Key{char.upper()}")
        found.append([char, code, {"shiftKey": char.isupper() or char == ":"}])
    return found


def under_an_input_method(text: str) -> list[Any]:
    """What Chromium reports while a Chinese input method composes: no key, keyCode 229, only the place."""
    taken = {"isComposing": True, "keyCode": 229}
    return [["Process", code, {**more, **taken}] for _key, code, more in plain(text)]


def test_a_scan_is_one_code(keys: Page):
    keys.evaluate("(k) => type(k, 10)", [*plain("B-220-1187"), ENTER])
    assert keys.evaluate("codes") == ["B-220-1187"]


def test_a_scan_is_read_by_place_under_an_input_method(keys: Page):
    keys.evaluate("(k) => type(k, 10)", [*under_an_input_method("J:Po-12.3/A"), ENTER])
    assert keys.evaluate("codes") == ["J:Po-12.3/A"]


def test_the_enter_of_a_scan_may_be_taken_by_the_input_method_too(keys: Page):
    taken = ["Process", "Enter", {"isComposing": True, "keyCode": 229}]
    keys.evaluate("(k) => type(k, 10)", [*under_an_input_method("LOT-7"), taken])
    assert keys.evaluate("codes") == ["LOT-7"]


def test_full_width_characters_are_made_plain(keys: Page):
    wide = [[char, "", {}] for char in "ＢＲＫ－００７：１"]
    keys.evaluate("(k) => type(k, 10)", [*wide, ENTER])
    assert keys.evaluate("codes") == ["BRK-007:1"]


def test_the_shift_keys_of_a_scanner_are_no_characters(keys: Page):
    shifted: list[Any] = []
    for one in plain("AbC1"):
        shifted += [["Shift", "ShiftLeft", {"shiftKey": True}], one] if one[2]["shiftKey"] else [one]
    keys.evaluate("(k) => type(k, 10)", [*shifted, ENTER])
    assert keys.evaluate("codes") == ["AbC1"]


def test_symbology_marks_and_separators_around_a_code_are_dropped(keys: Page):
    keys.evaluate("(k) => type(k, 10)", [["]", "BracketRight", {}], *plain("d2"), *plain("LOT-7"), ENTER])
    assert keys.evaluate("codes") == ["LOT-7"]


def test_what_a_person_types_is_no_scan(keys: Page):
    keys.locator("#note").focus()
    keys.evaluate("(k) => type(k, 130)", [*plain("hello"), ENTER])
    assert keys.evaluate("codes") == []
    assert keys.locator("#note").input_value() == "hello"


def test_a_scan_into_a_field_leaves_the_field_as_it_was(keys: Page):
    keys.locator("#note").fill("before")
    keys.evaluate("(k) => type(k, 10)", [*plain("B-220-1187"), ENTER])
    assert keys.evaluate("codes") == ["B-220-1187"]
    keys.wait_for_function("document.getElementById('note').value === 'before'")
    assert keys.evaluate("document.activeElement === document.body")


def test_a_composition_that_ends_late_does_not_keep_the_scan_in_the_field(keys: Page):
    keys.locator("#note").fill("before")
    keys.evaluate(
        """(k) => {
          const note = document.getElementById("note");
          const commit = () => { note.value = "before白色"; }; // what the input method made of it
          note.addEventListener("blur", commit, { once: true });
          type(k, 10, note);
        }""",
        [*under_an_input_method("bs1187"), ENTER],
    )
    assert keys.evaluate("codes") == ["bs1187"]
    keys.wait_for_function("document.getElementById('note').value === 'before'")


def test_a_scan_does_not_press_the_button_that_has_the_focus(keys: Page):
    keys.evaluate("document.getElementById('b').addEventListener('click', () => window.codes.push('pressed'))")
    keys.locator("#b").focus()
    keys.evaluate("(k) => type(k, 10)", [*plain("LOT-7"), ENTER])
    assert keys.evaluate("codes") == ["LOT-7"]


def test_a_trigger_that_bounces_is_one_scan_and_a_later_one_is_another(keys: Page):
    scan = [*plain("LOT-7"), ENTER]
    keys.evaluate("(k) => { type(k, 10); type(k, 10); window.now += 2000; type(k, 10); }", scan)
    assert keys.evaluate("codes") == ["LOT-7", "LOT-7"]


def test_alt_codes_of_some_scanners_are_characters(keys: Page):
    keys.evaluate(
        """() => {
          for (const number of ["065", "066", "055"]) {
            for (const digit of number) type([[digit, `Numpad${digit}`, { altKey: true }]], 5, document.body);
            document.body.dispatchEvent(new KeyboardEvent("keyup", { key: "Alt", code: "AltLeft", bubbles: true }));
          }
          type([["Enter", "Enter", {}]], 5, document.body);
        }"""
    )
    assert keys.evaluate("codes") == ["AB7"]


def test_a_group_separator_inside_a_gs1_code_is_kept(keys: Page):
    separator = ["]", "BracketRight", {"ctrlKey": True}]
    keys.evaluate("(k) => type(k, 10)", [*plain("0104"), separator, *plain("21A"), ENTER])
    assert keys.evaluate("codes") == ["0104\u001d21A"]


@pytest.mark.parametrize("typed", [["CARD-", "0001"], ["CARD-0001", ""], ["CARD", "-00", "01"], ["CARD-000", "1"]])
def test_a_scan_in_pieces_is_no_code_but_is_told(keys: Page, typed: list[str]):
    """A part of a code may be another code: a badge's number without its beginning."""
    keys.evaluate(
        "(pieces) => pieces.forEach((k, i) => { if (i) window.now += 200; type(k, 10); })",
        [[*plain(part), *([ENTER] if part is typed[-1] else [])] for part in typed],
    )
    assert (keys.evaluate("codes"), keys.evaluate("pieces")) == ([], 1)
    keys.evaluate("(k) => { window.now += 2000; type(k, 10); }", [*plain("CARD-0001"), ENTER])
    assert (keys.evaluate("codes"), keys.evaluate("pieces")) == (["CARD-0001"], 1)


def test_fast_fingers_are_no_scan_in_pieces(keys: Page):
    keys.evaluate("(k) => type(k, 90)", [*plain("482617"), ENTER])
    assert (keys.evaluate("codes"), keys.evaluate("pieces")) == ([], 0)
