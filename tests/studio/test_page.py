"""The page's files fit together; tests/studio/test_browser.py opens them."""

import re
from pathlib import Path

import pytest

import keras_tracknet

STATIC = Path(keras_tracknet.__file__).parent / "studio" / "static"
PAGE = (STATIC / "index.html").read_text(encoding="utf-8")
MODULES = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")}
CODE = "\n".join(MODULES.values())


def test_modules_import_what_other_modules_export():
    for name, code in MODULES.items():
        for names, module in re.findall(r'import \{([^}]*)\} from "\./([^"]+)"', code):
            for imported in re.split(r"\s*,\s*", names.strip()):
                pattern = rf"export (?:async )?(?:const|function|class) {re.escape(imported)}\b"
                assert re.search(pattern, MODULES[module]), (name, imported)
                assert len(re.findall(rf"\b{imported}\b", code)) > 1, f"{name}: {imported} unused"


def test_elements_that_the_code_finds_are_in_the_page():
    ids = re.findall(r'\bid="([^"]+)"', PAGE)
    assert len(ids) == len(set(ids))
    found = set(re.findall(r'\bfind\("([^"]+)"\)', CODE))
    assert {"picture", "timeline", "queue"} <= found
    assert found <= set(ids)


def test_buttons_and_keys_have_actions():
    def list_actions(code, after):
        return set(re.findall(r"(\w+): ", code[code.index(after) :]))

    row = r'^  \[(?:\[.*?\]|around\(".*?"\)), "(\w+)"'
    keys = set(re.findall(row, MODULES["keys.js"], re.MULTILINE))
    player = list_actions(MODULES["main.js"], "const actions")
    court = list_actions(MODULES["court.js"], "this.actions")
    for view, actions in (("player", player), ("court", court)):
        (part,) = re.findall(rf'<main id="{view}".*?</main>', PAGE, re.DOTALL)
        buttons = set(re.findall(r'data-act="(\w+)"', part))
        assert {"undo", "redo"} <= buttons & keys
        assert buttons <= actions
    assert keys <= player | court


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path):
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\(|@import|\beval\(|innerHTML", text)


def test_the_page_has_no_code_or_style_of_its_own():
    # The server's policy would block it.
    assert not re.search(r"\bon\w+=|\bstyle=|<style|<script(?! type=\"module\" src=)", PAGE)


def test_controls_have_names():
    for tag, attributes, content in re.findall(r"<(button|select)\b([^>]*)>(.*?)</\1>", PAGE, re.S):
        words = re.sub(r"<svg.*?</svg>|<kbd>.*?</kbd>|<[^>]+>", "", content, flags=re.S)
        named = re.search(r"[A-Za-z]{2}", words) and tag == "button"
        labelled = "aria-label=" in attributes
        inside = re.search(rf"<label[^>]*>[^<]+<{tag}{re.escape(attributes)}>", PAGE)
        assert named or labelled or inside, attributes
