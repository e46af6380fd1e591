import json
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

from keras_tracknet.court_page import pick_marks

IMAGE = np.full((72, 128, 3), 90, np.uint8)
CORNERS = [
    ["near_left", [10, 60]],
    ["near_right", [110, 62]],
    ["far_left", [40, 20]],
    ["far_right", [88, 21]],
]


class Visitor:
    """Opens the page as a browser would, and sends what a test wants."""

    def __init__(self, *answers):
        self.answers, self.replies, self.page = answers, [], ""
        self.thread = None

    def open(self, address):
        self.thread = threading.Thread(target=self.visit, args=(address,))
        self.thread.start()

    def visit(self, address):
        with urllib.request.urlopen(address) as reply:
            self.page = reply.read().decode()
        for answer in self.answers:
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            try:
                with urllib.request.urlopen(f"{address}marks", body) as reply:
                    self.replies.append((reply.status, reply.read().decode()))
            except urllib.error.HTTPError as error:
                with error:
                    self.replies.append((error.code, error.read().decode()))


def pick(visitor, sport="badminton"):
    told = []
    marks = pick_marks(IMAGE, sport, told.append, open_page=visitor.open)
    visitor.thread.join()
    assert told[0].startswith("http://127.0.0.1:")
    return marks


def test_clicked_points_become_marks():
    visitor = Visitor(CORNERS)
    marks = pick(visitor)
    assert [mark.name for mark in marks] == [name for name, _ in CORNERS]
    assert marks[0] == ("near_left", 10, 60, -3.05, -6.7)
    assert visitor.replies == [(200, "saved")]


def test_the_page_shows_the_picture_and_the_places():
    visitor = Visitor(CORNERS)
    pick(visitor)
    assert "data:image/jpeg;base64," in visitor.page
    assert "<option>near_left</option>" in visitor.page
    assert "const width = 128, least = 4" in visitor.page
    assert "__" not in visitor.page


def test_metres_are_asked_for_on_a_custom_court():
    custom = [[f"{x},{y}", [10 + 20 * x + 3 * y, 60 - 9 * y]] for x in (0, 4) for y in (0, 3)]
    visitor = Visitor(custom)
    marks = pick(visitor, "custom")
    assert 'placeholder="6.1,0"' in visitor.page
    assert marks[-1][3:] == (4, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (CORNERS[:3], "3 were given"),
        ([["middle", [1, 2]]], "not a place of a badminton court"),
        (b"nonsense", "sent no points"),
        ([1, 2, 3], "sent no points"),
    ],
)
def test_what_makes_no_court_is_refused_and_asked_for_again(wrong, message):
    visitor = Visitor(wrong, CORNERS)
    assert len(pick(visitor)) == 4
    status, text = visitor.replies[0]
    assert status == 400
    assert message in text
