"""Memory of the studio's server while somebody steps through a long video, as fast as it answers.

    python tests/benchmarks/stepping.py --minutes 3

Opens no browser: a dot crosses 1280x720 pixels for `--frames` frames, one in 250 of them a key
frame. The frames are asked for as the page does: one after the other, now and then some back and a
jump. Prints steps and resident memory at the start and after every minute. Needs Linux.
"""

import argparse
import http.client
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import av
import numpy as np

SIZE, KEYS = (720, 1280), 250
BACK_EVERY, BACK, JUMP_EVERY = 97, 12, 331  # steps
SHOWN = 1280  # pixels: the width that the page asks for


def write_film(path, frames):
    height, width = SIZE
    ground = np.add.outer(np.arange(height) // 6, np.arange(width) // 12).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=50, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.gop_size = KEYS
        for number in range(frames):
            image = np.repeat(ground[:, :, None], 3, axis=2)
            left = 7 * number % (width - 20)
            image[300:320, left : left + 20] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def walk(frames, seed=0):
    """Yield the numbers of frames as a person asks for them."""
    rng, frame = random.Random(seed), 0
    for step in range(1, 1 << 60):
        if step % JUMP_EVERY == 0:
            frame = rng.randrange(frames)
        frame = (frame + 1) % frames
        yield frame
        if step % BACK_EVERY == 0:
            yield from range(frame - 1, max(0, frame - BACK) - 1, -1)


def measure_memory(process):
    """Return the resident memory of a process, MB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def step_through(address, process, frames, minutes):
    parts = urlsplit(address)
    line = http.client.HTTPConnection(parts.netloc)

    def ask(path, **headers):
        line.request("GET", path, headers=headers)
        answer = line.getresponse()
        assert answer.status in (200, 303), answer.status
        return answer.headers, answer.read()

    cookie = ask(f"/?{parts.query}")[0]["Set-Cookie"].partition(";")[0]
    video = ask("/api/videos", Cookie=cookie)[1].decode().partition('"id":"')[2].partition('"')[0]
    print("minute    steps   memory, MB")
    began, done, minute = time.monotonic(), 0, 0
    for done, frame in enumerate(walk(frames)):
        if time.monotonic() - began >= 60 * minute:
            print(f"{minute:6} {done:8} {measure_memory(process):12.0f}", flush=True)
            minute += 1
            if minute > minutes:
                return
        ask(f"/api/videos/{video}/frames/{frame}?width={SHOWN}", Cookie=cookie)


def main(frames, minutes):
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "videos"
        folder.mkdir()
        write_film(folder / "film.mp4", frames)
        command = [shutil.which("tracknet") or "tracknet", "studio", str(folder)]
        with subprocess.Popen(
            [*command, "--port", "0", "--no-open"], cwd=work, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                step_through(process.stdout.readline().strip(), process, frames, minutes)
            finally:
                process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--frames", type=int, default=3000, help="length of the video")
    main(**vars(parser.parse_args()))
