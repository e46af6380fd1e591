from functools import cache

import keras
import numpy as np
import pytest
from helpers_models import draw_inputs, randomize_weights, run

from keras_tracknet.layers import TemporalShift
from keras_tracknet.models.tsm import build_tsm, build_tsm_online, reset_stream

SIZE = (32, 64)  # (height, width)
TINY = {"input_size": SIZE, "width_multiplier": 0.1, "frames": 5}

build_full = cache(lambda backbone: build_tsm(backbone=backbone))
build_random = cache(lambda **settings: randomize_weights(build_tsm(3, **TINY, **settings)))


def list_shifts(model):
    return [layer for layer in model.layers if isinstance(layer, TemporalShift)]


def score_frames(model, clips):
    """Return the scores of each frame before the consensus, `(clips, frames, classes)`."""
    scores = run(keras.Model(model.input, model.get_layer("head").output), clips)
    return scores.reshape(*clips.shape[:2], -1)


def softmax(scores):
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("backbone", "features", "parameters", "shifts"),
    [
        # The network of keras.applications without its head, and ours: 4 x 1280 + 4 weights.
        ("mobilenet_v2", 2_257_984, 2_263_108, 10),
        # 4 x 2048 + 4 weights.
        ("resnet50", 23_587_712, 23_595_908, 16),
        # 4 x 96 + 4 weights.
        ("resnet10", 266_544, 266_932, 4),
    ],
)
def test_shift_adds_no_parameters(backbone, features, parameters, shifts):
    model = build_full(backbone)
    assert model.input_shape == (None, 8, 224, 224, 3)
    assert model.output_shape == (None, 4)
    assert model.count_params() == parameters == features + model.get_layer("head").count_params()
    assert len(list_shifts(model)) == shifts


@pytest.mark.parametrize(
    ("backbone", "block", "convolution"),
    [
        ("mobilenet_v2", "block_2", "block_2_expand"),
        ("resnet50", "conv3_block2", "conv3_block2_1_conv"),
        ("resnet10", "block3", "block3_1_conv"),
    ],
)
def test_only_the_residual_branch_is_shifted(backbone, block, convolution):
    model = build_full(backbone)
    shift = model.get_layer(f"{convolution}_shift")
    assert model.get_layer(convolution).input is shift.output
    unshifted = [shift.input]  # the identity path, or what a convolution makes of it
    if backbone == "resnet10":
        unshifted.append(model.get_layer(f"{block}_0_bn").output)
        assert model.get_layer(f"{block}_pool").input is shift.input
    identity = [
        tensor
        for tensor in model.get_layer(f"{block}_add").input
        if any(tensor is other for other in unshifted)
    ]
    assert len(identity) == 1


def test_every_block_with_an_identity_path_is_shifted_once():
    model = build_full("mobilenet_v2")
    blocks = [x.name.removesuffix("_add") for x in model.layers if x.name.endswith("_add")]
    assert [s.name for s in list_shifts(model)] == [f"{b}_expand_shift" for b in blocks]


def test_batch_statistics_follow_the_training_of_a_few_epochs():
    norms = [x for x in build_full("mobilenet_v2").layers if hasattr(x, "moving_mean")]
    assert {norm.momentum for norm in norms} == {0.9}


def test_resnet_sees_blue_first_less_the_mean_of_imagenet():
    model = build_tsm(input_size=SIZE, frames=1, backbone="resnet50")
    red = np.zeros((1, 1, *SIZE, 3), "float32")
    red[..., 0] = 1
    seen = run(keras.Model(model.input, model.get_layer("scale").output), red)
    np.testing.assert_allclose(seen[0, 0, 0], [-103.939, -116.779, 255 - 123.68], rtol=1e-5)


def test_difference_is_what_changes_from_frame_to_frame():
    model = build_tsm(
        input_size=SIZE, frames=3, backbone="resnet10", modality="difference", width_multiplier=0.5
    )
    clip = np.zeros((1, 3, *SIZE, 3), "float32")
    clip[..., 1] = 0.25  # stands still
    clip[0, 1:, 4, 5, 0] = [0.5, 0.75]
    seen = run(keras.Model(model.input, model.get_layer("scale").output), clip)
    expected = np.zeros_like(seen)
    expected[1:, 4, 5, 0] = [8 * 0.5, 8 * 0.25]
    np.testing.assert_allclose(seen, expected, atol=1e-5)


def test_output_is_the_softmax_of_the_mean_score():
    model = build_random()
    clips = draw_inputs(model)
    expected = softmax(score_frames(model, clips).mean(axis=1))
    np.testing.assert_allclose(run(model, clips), expected, atol=1e-5)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_frames_see_their_neighbours_and_online_only_those_before(bidirectional):
    model = build_random(bidirectional=bidirectional)
    clips = draw_inputs(model, batch=1)
    changed = clips.copy()
    changed[:, 2] = 1 - changed[:, 2]
    difference = np.abs(score_frames(model, clips) - score_frames(model, changed))[0].max(axis=-1)
    assert (difference[2:] > 1e-5).all()
    assert (difference[:2] > 1e-5).all() if bidirectional else (difference[:2] == 0).all()


ONLINE = [{}, {"backbone": "resnet10", "modality": "difference", "width_multiplier": 0.5}]


@pytest.mark.parametrize("settings", ONLINE)
def test_online_network_says_of_each_frame_what_the_whole_clip_does(settings):
    model = randomize_weights(build_tsm(3, **TINY | settings, bidirectional=False))
    clips = draw_inputs(model, batch=2)
    expected = softmax(score_frames(model, clips))
    online = build_tsm_online(model, streams=2)
    for _ in range(2):  # the second time after a reset
        stream = [online.predict_on_batch(clips[:, t : t + 1]) for t in range(clips.shape[1])]
        np.testing.assert_allclose(np.stack(stream, axis=1), expected, atol=1e-5)
        reset_stream(online)
    alone = online.predict_on_batch(clips[:, 1:2])
    assert np.abs(alone - expected[:, 1]).max() > 1e-4  # else there was nothing to remember


def test_online_network_shares_the_weights():
    model = randomize_weights(build_tsm(3, **TINY, bidirectional=False))
    online = build_tsm_online(model)
    assert online.get_layer("head") is model.get_layer("head")
    assert online.count_params() > model.count_params()  # the caches


@pytest.mark.parametrize("build", [build_random, lambda: keras.Sequential([keras.Input((3,))])])
def test_online_network_needs_one_that_does_not_look_ahead(build):
    with pytest.raises(ValueError, match=r"must come from build_tsm\(bidirectional=False\)"):
        build_tsm_online(build())


def test_weights_of_the_backbone_are_taken_over(tmp_path):
    backbone = keras.applications.MobileNetV2(
        input_shape=(*SIZE, 3), alpha=0.1, include_top=False, weights=None
    )
    path = tmp_path / "backbone.weights.h5"
    randomize_weights(backbone).save_weights(path)
    model = build_tsm(**TINY, weights=str(path))
    for name in ("Conv1", "block_2_expand", "block_16_project_BN"):
        for ours, theirs in zip(
            model.get_layer(name).get_weights(), backbone.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_saved_network_gives_the_same(tmp_path):
    model = build_random()
    clips = draw_inputs(model)
    model.save(tmp_path / "tsm.keras")
    again = keras.saving.load_model(tmp_path / "tsm.keras")
    np.testing.assert_allclose(run(again, clips), run(model, clips), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": "vgg16"}, "`backbone` must be one of mobilenet_v2, resnet50, resnet10"),
        (
            {"backbone": "resnet50", "width_multiplier": 0.5},
            "`width_multiplier` is supported by mobilenet_v2",
        ),
        (
            {"backbone": "resnet10", "weights": "imagenet"},
            "`weights` are supported by mobilenet_v2",
        ),
        ({"modality": "flow"}, "`modality` must be one of rgb, difference"),
        ({"num_classes": 0}, "`num_classes` must be at least 1"),
        ({"frames": 0}, "`frames` must be at least 1"),
    ],
)
def test_impossible_network_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        build_tsm(**settings)


def draw_bars(count, seed):
    """White bars that move down or up, the class; a single frame does not tell which."""
    rng = np.random.default_rng(seed)
    clips, down = np.zeros((count, 4, 32, 32, 3), np.float32), rng.integers(0, 2, count)
    for clip, falls in zip(clips, down, strict=True):
        top = rng.integers(0, 32)
        for number, frame in enumerate(clip):
            row = (top + (3 if falls else -3) * number) % 32
            frame[row : row + 4] = 1
    return clips, np.eye(2, dtype=np.float32)[down]


def test_network_learns_what_only_the_order_of_frames_tells():
    keras.utils.set_random_seed(0)
    model = build_tsm(2, frames=4, input_size=(32, 32), width_multiplier=0.1, dropout=0.0)
    model.compile(keras.optimizers.Adam(3e-3), "categorical_crossentropy", metrics=["accuracy"])
    model.fit(*draw_bars(256, seed=0), batch_size=16, epochs=6, verbose=0)
    assert model.evaluate(*draw_bars(64, seed=1), verbose=0)[1] > 0.9
