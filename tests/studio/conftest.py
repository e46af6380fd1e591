from fractions import Fraction

import av
import numpy as np
import pytest

from keras_tracknet.files import write_json
from keras_tracknet.studio.library import OWN_FOLDER
from keras_tracknet.synthetic import RallyConfig, simulate_rally, write_rally
from keras_tracknet.tracks.files import write_track

RALLY = RallyConfig(frames=48, size=(288, 512), seed=0, fps=Fraction(30))
TRACKED = RallyConfig(frames=90, size=(144, 256), seed=1, fps=Fraction(30))
LARGE = 250, (1080, 1920)  # frames, one of them a key frame, and their size


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A studio for all tests that are marked `browser`.

    Its videos are `match`, which is as a person brings it, `tracked`, whose track is the truth,
    and `large`.
    """
    from helpers_browser import Server

    work = tmp_path_factory.mktemp("studio")
    folder = work / "videos"
    for name, config in (("match", RALLY), ("tracked", TRACKED)):
        path = write_rally(config, work / "rendered" / name)
        folder.mkdir(exist_ok=True)
        path.rename(folder / f"{name}.mp4")
    own = folder / OWN_FOLDER / "tracked.mp4"
    own.mkdir(parents=True)
    write_track(simulate_rally(TRACKED).track, own / "track.csv")
    write_json({"complete": True}, own / "summary.json")
    write_large(folder / "large.mp4")
    (work / "secret.mp4").write_bytes(b"secret")
    server = Server(folder, work)
    yield server
    assert server.stop() in (0, 130)


def write_large(path):
    """A dot that crosses a gradient."""
    frames, (height, width) = LARGE
    ground = np.add.outer(np.arange(height) // 9, np.arange(width) // 16).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.gop_size = frames
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(
                np.vstack([ground, np.full((height // 2, width), 128, np.uint8)]), format="yuv420p"
            )
            np.frombuffer(picture.planes[0], np.uint8).reshape(height, -1)[
                500:520, 7 * number : 7 * number + 20
            ] = 255
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


@pytest.fixture
def page(chromium):
    """A page of its own in the browser that all tests share."""
    from helpers_browser import open_page

    with open_page(chromium) as page:
        yield page
