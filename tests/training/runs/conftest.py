"""Clips to train on, and networks that are soon trained."""

import pytest
from helpers_clips import write_clips
from helpers_runs import DOTS, configure
from helpers_trackers import shorten_networks

from keras_tracknet.training.loop import fit


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder of three clips; the last one validates."""
    return write_clips(tmp_path_factory.mktemp("clips"), DOTS)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("TRACKNET_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True, scope="module")
def short_networks():
    with pytest.MonkeyPatch.context() as patch:
        shorten_networks(patch)
        yield


@pytest.fixture(scope="module")
def uninterrupted(clips, tmp_path_factory):
    """Folder and history of a run of three epochs of five steps."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, fit(configure(clips, folder, epochs=3, learning_rate=1e-2))
