import functools
import inspect
import os

import pytest
from click.testing import CliRunner, Result

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Networks of a test run once or twice: compiling them well takes longer than running them.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# PyTorch's threads wait busily for each other: ten times slower where cores are shared.
os.environ.setdefault("OMP_NUM_THREADS", "1")


from keras_tracknet.inference import engines

# What runs a Keras file is Keras, whatever else is installed, until a test says otherwise.
engines.openvino_fits = lambda device="auto": False

# click before 8.2 has stderr either in stdout or not at all in what was printed.
if "mix_stderr" in inspect.signature(CliRunner.__init__).parameters:
    CliRunner.__init__ = functools.partialmethod(CliRunner.__init__, mix_stderr=False)
    Result.output = property(lambda result: result.stdout + result.stderr)


@pytest.fixture(scope="session")
def chromium():
    """A browser, for all tests that are marked so."""
    from helpers_browser import open_chromium

    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A studio for all tests that are marked `browser`."""
    from helpers_browser import Server, write_videos

    work = tmp_path_factory.mktemp("studio")
    write_videos(work / "videos")
    (work / "secret.mp4").write_bytes(b"secret")
    server = Server(work / "videos", work)
    yield server
    assert server.stop() in (0, 130)
