import http.client
import json
import re
import socket
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import numpy as np
import pytest

from keras_tracknet.analysis.court.calibration import calibrate_court
from keras_tracknet.analysis.court.drawing import list_strokes
from keras_tracknet.analysis.court.marks import Mark, read_marks
from keras_tracknet.analysis.court.page import pick_marks
from keras_tracknet.sports import SPORTS

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
                with urllib.request.urlopen(post(address, body)) as reply:
                    self.replies.append((reply.status, reply.read().decode()))
            except urllib.error.HTTPError as error:
                with error:
                    self.replies.append((error.code, error.read().decode()))


def post(address, body, path="marks"):
    """What the page sends."""
    origin = "http://" + urlsplit(address).netloc
    return urllib.request.Request(f"{address}{path}", body, {"Origin": origin})


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


def test_the_page_opens_with_marks_that_were_found():
    visitor = Visitor(CORNERS)
    found = [Mark("near_left", 10.5, 60.25, -3.05, -6.7)]
    pick_marks(IMAGE, "badminton", lambda address: None, found=found, open_page=visitor.open)
    visitor.thread.join()
    assert 'let marks = new Map([["near_left", [10.5, 60.25]]])' in visitor.page
    assert "Found by its lines: check them" in visitor.page


def test_the_page_shows_the_picture_and_the_places():
    visitor = Visitor(CORNERS)
    pick(visitor)
    assert "data:image/jpeg;base64," in visitor.page
    assert "<option>near_left</option>" in visitor.page
    assert "const width = 128, height = 72, least = 4" in visitor.page
    assert "{" not in re.sub(r"<(style|script)>.*?</\1>", "", visitor.page, flags=re.DOTALL)
    # The sketch is the court from above in centimetres, the far end up.
    assert '<circle data-name="near_left" cx="-305" cy="670"' in visitor.page
    assert visitor.page.count("<circle data-name") == len(SPORTS["badminton"].landmarks)


def test_the_court_is_drawn_before_it_is_saved():
    drawn = []

    class Looker(Visitor):
        def visit(self, address):
            for marks in (CORNERS, [*CORNERS, ["net_left", [29, 34]]]):
                with urllib.request.urlopen(
                    post(address, json.dumps(marks).encode(), "court")
                ) as reply:
                    drawn.append(json.load(reply))
            super().visit(address)

    assert len(pick(Looker(CORNERS))) == 4
    first, second = drawn
    court = calibrate_court(read_marks(json.dumps(CORNERS), "badminton"), (72, 128), "badminton")
    np.testing.assert_allclose(
        first["lines"], [court.to_picture(stroke) for stroke in list_strokes(court)], atol=0.006
    )
    assert "fits by construction" in first["message"]
    assert second["message"].startswith("5 points, calibration error")
    assert not first["warning"]


def test_metres_are_asked_for_on_a_custom_court():
    custom = [[f"{x},{y}", [10 + 20 * x + 3 * y, 60 - 9 * y]] for x in (0, 4) for y in (0, 3)]
    visitor = Visitor(custom)
    marks = pick(visitor, "custom")
    assert 'placeholder="6.1,0"' in visitor.page
    assert marks[-1][3:] == (4, 3)


def swap(one, other):
    names = {one: other, other: one}
    return [["_".join(names.get(p, p) for p in name.split("_")), at] for name, at in CORNERS]


def move_first(x):
    return [["near_left", [x, 60]], *CORNERS[1:]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (CORNERS[:3], "3 were given"),
        ([["middle", [1, 2]]], "unknown point of a badminton court"),
        (b"nonsense", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        ([1, 2, 3], "1: not a point"),
        (17, "contains no points"),
        (None, "contains no points"),
        ([["near_left", "12"], *CORNERS[1:]], "not a point"),  # not 1 and 2
        ([[7, [1, 2]]], "not a point"),
        (move_first(float("nan")), "near_left: nan,60 is outside the picture"),
        (move_first(float("inf")), "near_left: inf,60 is outside the picture"),
        (move_first(1e308), "near_left: 1e+308,60 is outside the picture"),
        (move_first(10**400), "near_left: inf,60 is outside the picture"),
        ([*CORNERS, CORNERS[0]], "near_left and near_left are at the same position"),
        ([[name, [x, 3 * x]] for name, (x, _) in CORNERS], "on one line on the picture"),
        (swap("left", "right"), "left and right are swapped"),
    ],
)
def test_what_makes_no_court_is_refused_and_asked_for_again(wrong, message):
    visitor = Visitor(wrong, CORNERS)
    assert len(pick(visitor)) == 4
    status, text = visitor.replies[0]
    assert status == 400
    assert message in text


def request(address, method="POST", path="marks", **headers):
    """Send what no browser would, and return the status."""
    body = json.dumps(CORNERS)
    parts = urlsplit(address)
    line = http.client.HTTPConnection(parts.netloc, timeout=10)
    sent = {"Host": parts.netloc, "Origin": f"http://{parts.netloc}"}
    sent |= {"Content-Length": str(len(body))} | headers
    line.putrequest(method, parts.path + path, skip_host=True)
    for name, value in sent.items():
        if value is not None:
            line.putheader(name, value)
    line.endheaders()
    line.send(body.encode())
    try:
        return line.getresponse().status
    finally:
        line.close()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"Origin": "http://elsewhere.example"}, 403),  # a page of somebody else's
        ({"Origin": "null"}, 403),  # a file, or a frame that hides where it is from
        ({"Origin": None}, 403),
        ({"Host": "elsewhere.example"}, 403),  # a name that was made to mean this machine
        ({"Host": None}, 403),
        ({"method": "GET", "path": "", "Host": "elsewhere.example"}, 403),
        ({"path": "../marks"}, 404),  # the token is not known
        ({"method": "GET", "path": "../"}, 404),
        ({"path": "other"}, 404),
        ({"Content-Length": str(1 << 17)}, 413),
        ({"Content-Length": "9" * 30}, 413),
        ({"Content-Length": "-1"}, 411),
        ({"Content-Length": "many"}, 411),
        ({"Content-Length": None}, 411),
    ],
)
def test_what_the_page_did_not_send_is_refused(asked, status):
    statuses = []

    class Intruder(Visitor):
        def visit(self, address):
            statuses.append(request(address, **asked))
            super().visit(address)

    moved = move_first(11)
    visitor = Intruder(moved)
    assert pick(visitor)[0].x == 11  # what came first was not taken
    assert statuses == [status]


def test_connections_that_say_nothing_do_not_keep_the_page_waiting(monkeypatch):
    from keras_tracknet.analysis.court import page as court_page

    monkeypatch.setattr(court_page._Handler, "timeout", 0.2)
    ended = []

    class Idler(Visitor):
        def visit(self, address):
            place = urlsplit(address)
            with (
                socket.create_connection((place.hostname, place.port)) as silent,
                socket.create_connection((place.hostname, place.port)) as slow,
            ):
                head = f"POST {place.path}marks HTTP/1.1\r\nHost: {place.netloc}\r\n"
                head += f"Origin: http://{place.netloc}\r\nContent-Length: 900\r\n\r\n"
                slow.sendall(f"{head}[".encode())
                for idle in (silent, slow):
                    idle.settimeout(5)
                    ended.append(idle.recv(1))  # the server hangs up
                super().visit(address)

    assert len(pick(Idler(CORNERS))) == 4
    assert ended == [b"", b""]


def test_an_idle_connection_does_not_keep_others_from_being_answered():
    class Idler(Visitor):
        def visit(self, address):
            place = urlsplit(address)
            with socket.create_connection((place.hostname, place.port)):
                super().visit(address)

    assert len(pick(Idler(CORNERS))) == 4


def test_each_page_has_an_address_of_its_own():
    addresses = []

    class Listener(Visitor):
        def visit(self, address):
            addresses.append(urlsplit(address).path)
            super().visit(address)

    for _ in range(2):
        pick(Listener(CORNERS))
    assert addresses[0] != addresses[1]
    assert all(len(path) > 20 for path in addresses)
