"""The linker and its messages."""

import keras
import numpy as np
import pytest
from helpers_models import build_tiny, randomize_weights, run

from keras_tracknet.models.linker import OFFSETS, LinkMessages, build_linker

WINDOW, COUNT = 16, 5


def draw_candidates(seed=0, frames=WINDOW):
    """Return `(1, frames, candidates, 3)` random candidates; some are not there."""
    rng = np.random.default_rng(seed)
    candidates = rng.uniform(-0.5, 0.5, (1, frames, COUNT, 3))
    candidates[..., 2] = rng.uniform(0.1, 0.9, (1, frames, COUNT))
    candidates[rng.uniform(size=(1, frames, COUNT)) < 0.3] = 0
    return candidates.astype(np.float32)


def test_linker_is_small_and_returns_probabilities():
    model = build_linker()
    assert model.count_params() == 42_026
    chances = run(model, draw_candidates(frames=32))
    assert chances.shape == (1, 32, COUNT + 1)
    assert chances.min() >= 0
    np.testing.assert_allclose(chances.sum(axis=-1), 1, atol=1e-5)


@pytest.fixture(scope="module")
def linker():
    return randomize_weights(build_tiny("linker", window=WINDOW))


def test_what_is_no_candidate_tells_the_others_nothing(linker):
    candidates = draw_candidates()
    layer = linker.get_layer("round1_messages")
    states = np.random.default_rng(1).normal(size=(*candidates.shape[:3], layer.units))
    gone = candidates[..., 2] == 0
    assert gone.any()
    other = np.where(gone[..., None], states + 1, states)
    first, second = (
        keras.ops.convert_to_numpy(layer([candidates, s.astype(np.float32)]))
        for s in (states, other)
    )
    np.testing.assert_allclose(first[~gone], second[~gone], atol=1e-5)


def test_lone_candidate_hears_only_itself(linker):
    candidates = np.zeros((1, WINDOW, COUNT, 3), np.float32)
    candidates[0, 7, 2] = 0.1, 0.2, 0.9
    layer = linker.get_layer("round1_messages")
    states = np.ones((1, WINDOW, COUNT, layer.units), np.float32)
    heard = keras.ops.convert_to_numpy(layer([candidates, states]))[0, 7, 2]
    earlier, own, later = np.split(heard, 3)
    assert not earlier.any()
    assert not later.any()
    assert own.any()


def test_messages_are_the_greatest_by_hand():
    candidates = np.zeros((1, 4, 2, 3), np.float32)
    candidates[0, 0, 0] = 0.0, 0.0, 0.5  # one before, at a distance of 0.3 heights to the left
    candidates[0, 2, 1] = 0.3, 0.0, 0.5
    layer = LinkMessages(1, offsets=(1, 2))
    states = np.zeros((1, 4, 2, 1), np.float32)
    layer([candidates, states])
    for weight in layer.weights:
        weight.assign(np.zeros(weight.shape))
    layer.step_kernel.assign([[-1.0], [0], [0], [0], [0]])  # of steps to the left
    layer.kernel.assign([[1.0]])
    heard = keras.ops.convert_to_numpy(layer([candidates, states]))
    # The sender is 0.3 heights to the left, two frames ago: ten times 0.15.
    assert heard[0, 2, 1] == pytest.approx([1.5, 0, 0])
    assert heard[0, 0, 0] == pytest.approx([0, 0, 0])  # it lies to the right of this one


def test_one_round_reaches_as_far_as_its_longest_message():
    model = randomize_weights(build_tiny("linker", window=41, rounds=1))
    logits = keras.Model(model.inputs[0], model.get_layer("each").output)
    candidates = np.concatenate([draw_candidates(seed, frames=41) for seed in range(40)])
    changed = candidates.copy()
    changed[:, 20, :, :2] *= -1
    away = np.abs(run(logits, candidates) - run(logits, changed)).max(axis=(0, 2, 3))
    reached = {20 + way * offset for offset in (0, *OFFSETS) for way in (-1, 1)}
    assert set(np.flatnonzero(away > 1e-6).tolist()) == reached


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, "`window` must be at least 1.*window=0"),
        ({"candidates": 0}, "`candidates` must be at least 1.*candidates=0"),
        ({"rounds": 0}, "`rounds` must be at least 1.*rounds=0"),
        ({"width_multiplier": 0}, "above 0. Received: width_multiplier=0"),
    ],
)
def test_impossible_linkers_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        build_linker(**settings)
