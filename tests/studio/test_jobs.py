import sys
import time

import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.studio import jobs
from keras_tracknet.studio.jobs import BusyError, JobQueue

PATIENCE = 20


def obey(monkeypatch, code):
    """Let a short script do the work."""
    head = "import json, sys, time\norder = json.loads(sys.stdin.readline())\n"
    monkeypatch.setattr(jobs, "WORKER", [sys.executable, "-c", head + code])


def wait_for(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_job_tells_of_progress_and_of_its_result(monkeypatch):
    obey(monkeypatch, "print(json.dumps({'stage': 'work', 'done': 3, 'result': order}))")
    queue = JobQueue()
    assert queue.state == {"state": "none"}
    job = queue.start("track", {"weights": "w"}, lambda name: f"taught/{name}")
    job.wait(PATIENCE)
    assert queue.state["state"] == "done"
    assert (queue.state["stage"], queue.state["done"]) == ("work", 3)
    expected = {"kind": "track", "weights": "w", "output": f"taught/{job.id}"}
    assert queue.state["result"] == expected
    assert queue.find(job.id) is job
    assert queue.version >= 3


def test_one_job_at_a_time(monkeypatch):
    obey(monkeypatch, "sys.stdin.read()")
    queue = JobQueue()
    queue.start("track", {})
    with pytest.raises(BusyError):
        queue.start("track", {})
    queue.close()
    assert queue.state["state"] == "stopped"
    obey(monkeypatch, "")
    queue.start("track", {}).wait(PATIENCE)
    assert queue.state["state"] == "done"


def test_a_stopped_job_may_finish_what_it_must(monkeypatch):
    code = (
        "print(json.dumps({'stage': 'ready'}), flush=True)\n"
        "try:\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print(json.dumps({'message': 'kept'}), flush=True)\n"
    )
    obey(monkeypatch, code)
    queue = JobQueue()
    job = queue.start("track", {})
    wait_for(lambda: job.state["stage"] == "ready")
    job.stop()
    job.wait(PATIENCE)
    assert job.state["state"] == "stopped"


def test_a_job_that_does_not_stop_is_killed(monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 0.2)
    code = (
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print(json.dumps({'stage': 'ready'}), flush=True)\ntime.sleep(60)\n"
    )
    obey(monkeypatch, code)
    job = JobQueue().start("track", {})
    wait_for(lambda: job.state["stage"] == "ready")
    job.stop()
    job.wait(PATIENCE)
    assert job.state["state"] == "stopped"


def test_a_job_that_breaks_says_why(monkeypatch):
    obey(monkeypatch, "raise ValueError('no ball')")
    job = JobQueue().start("track", {})
    job.wait(PATIENCE)
    assert (job.state["state"], job.state["message"]) == ("failed", "ValueError: no ball")


def test_the_real_worker_says_in_a_line_what_it_cannot_do(tmp_path):
    job = JobQueue().start("track", {"weights": str(tmp_path / "none.keras"), "videos": []})
    job.wait(60)
    assert job.state["state"] == "failed"
    assert "no such weights" in job.state["message"]


def test_an_unknown_job_is_an_input_error():
    with pytest.raises(InputError, match="no such job"):
        JobQueue().find("x")
