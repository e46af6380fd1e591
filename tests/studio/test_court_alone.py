import http.client
import json
import re
import threading
from urllib.parse import urlsplit

import cv2
import numpy as np

from keras_tracknet.studio.marking import pick_marks

IMAGE = np.full((72, 128, 3), 90, np.uint8)
CORNERS = [
    ["near_left", [10, 60]],
    ["near_right", [110, 62]],
    ["far_left", [40, 20]],
    ["far_right", [88, 21]],
]


class Visitor:
    """Opens the page as a browser would, and does what a test wants."""

    def __init__(self, visit):
        self.visit, self.addresses = visit, []

    def open(self, address):
        self.addresses.append(address)
        self.parts, self.cookie = urlsplit(address), ""
        self.thread = threading.Thread(target=self._go)
        self.thread.start()

    def _go(self):
        _, given, _ = self.ask("GET", f"/?{self.parts.query}")
        self.cookie = given["Set-Cookie"].partition(";")[0]
        self.visit(self)

    def ask(self, method, path, body=None, **headers):
        line = http.client.HTTPConnection(self.parts.netloc, timeout=10)
        headers = {"Origin": f"http://{self.parts.netloc}", "Cookie": self.cookie} | headers
        try:
            line.request(method, path, None if body is None else json.dumps(body), headers)
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()


COURT = "/api/videos/picture/court"


def save(visitor, marks=CORNERS, **headers):
    return visitor.ask(
        "POST", COURT, {"sport": "badminton", "marks": marks, "save": True}, **headers
    )


def pick(visit):
    told, visitor = [], Visitor(visit)
    marks = pick_marks(IMAGE, "badminton", told.append, open_page=visitor.open)
    visitor.thread.join()
    assert told == visitor.addresses
    return marks, visitor


def test_the_court_that_is_saved_is_returned():
    answers = []
    marks, visitor = pick(lambda visitor: answers.append(save(visitor)))
    assert [mark.name for mark in marks] == [name for name, _ in CORNERS]
    assert marks[0] == ("near_left", 10, 60, -3.05, -6.7)
    assert answers[0][0] == 200
    assert re.fullmatch(
        r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}#court=picture&sport=badminton&alone",
        visitor.addresses[0],
    )


def test_the_page_gets_the_picture_and_what_can_be_marked():
    answers = []

    def visit(visitor):
        answers.extend(visitor.ask("GET", path)[2] for path in (COURT, f"{COURT}/picture", "/"))
        save(visitor)

    pick(visit)
    told = json.loads(answers[0])
    assert (told["width"], told["height"], told["court"]) == (128, 72, None)
    image = cv2.imdecode(np.frombuffer(answers[1], np.uint8), cv2.IMREAD_COLOR)
    assert abs(image.astype(int) - 90).max() <= 2
    assert b'id="court"' in answers[2]


def test_what_makes_no_court_is_refused_and_asked_for_again():
    answers = []

    def visit(visitor):
        answers.append(save(visitor, CORNERS[:3]))
        answers.append(save(visitor, CORNERS, Origin="http://elsewhere.example"))
        answers.append(save(visitor, CORNERS, Cookie=""))
        save(visitor, [["near_left", [11, 60]], *CORNERS[1:]])

    marks, _ = pick(visit)
    assert [status for status, _, _ in answers] == [400, 403, 403]
    assert "3 were given" in json.loads(answers[0][2])["error"]
    assert marks[0].x == 11  # what was refused was not taken


def test_each_page_has_an_address_of_its_own():
    addresses = {urlsplit(pick(save)[1].addresses[0]).query for _ in range(2)}
    assert len(addresses) == 2
