from functools import cache
from itertools import pairwise

import keras
import numpy as np
import pytest
from helpers_models import KINDS, SIZE, TRACKERS, build_tiny, draw_inputs, randomize_weights, run
from keras import layers

from keras_tracknet.models.blocks import scale_filters
from keras_tracknet.models.rectifier import build_rectifier
from keras_tracknet.models.v1 import build_v1
from keras_tracknet.models.v2 import build_v2
from keras_tracknet.models.v3 import build_v3

CONV = (layers.Conv1D, layers.Conv2D)

# Networks that a test only looks at are built once.
build_full = cache(lambda build, **settings: build(**settings))
look_at = cache(build_tiny)
look_at_random = cache(lambda kind: randomize_weights(build_tiny(kind)))


def kernels(model):
    """Return {name: (in, out)} of every convolution, in order."""
    return {x.name: tuple(x.kernel.shape[-2:]) for x in model.layers if isinstance(x, CONV)}


def count_trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def names(model):
    return [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    ("build", "settings", "input_shape", "output_shape", "trainable"),
    [
        # The published code: 256 filters in convolutions 11 to 13.
        (build_v1, {}, (None, 360, 640, 9), (None, 360, 640, 256), 10_708_032),
        # The paper's table: 512 there.
        (build_v1, {"decoder_filters": 512}, (None, 360, 640, 9), (None, 360, 640, 256),
         15_723_840),
        # Per-channel normalisation, biased convolutions.
        (build_v2, {}, (None, 288, 512, 9), (None, 288, 512, 3), 11_334_147),
        # 3-in-1-out: two 1x1 convolutions of 64 weights and a bias fewer.
        (build_v2, {"heatmaps": 1}, (None, 288, 512, 9), (None, 288, 512, 1), 11_334_017),
        # The published tracker.
        (build_v3, {}, (None, 288, 512, 27), (None, 288, 512, 8), 11_341_000),
        (build_v3, {"background": "none"}, (None, 288, 512, 24), (None, 288, 512, 8), 11_339_272),
        (build_v3, {"background": "subtract"}, (None, 288, 512, 8), (None, 288, 512, 8),
         11_330_056),
        (build_v3, {"background": "subtract_concat"}, (None, 288, 512, 32), (None, 288, 512, 8),
         11_343_880),
        # V2 with bias-free convolutions.
        (build_v3, {"background": "none", "frames": 3}, (None, 288, 512, 9), (None, 288, 512, 3),
         11_330_307),
    ],
)  # fmt: skip
def test_tracker_has_the_published_shapes_and_parameters(
    build, settings, input_shape, output_shape, trainable
):
    model = build_full(build, **settings)
    assert model.input_shape == input_shape
    assert model.output_shape == output_shape
    assert count_trainable(model) == trainable


def test_rectifier_has_the_published_shapes_and_parameters():
    model = build_full(build_rectifier)
    assert model.input_shape == [(None, 16, 2), (None, 16, 1)]
    assert [i.name for i in model.inputs] == ["coordinates", "mask"]
    assert model.output_shape == (None, 16, 2)
    assert (count_trainable(model), model.count_params()) == (520_610, 520_610)


def test_v3_count_with_batch_statistics_is_the_published_one():
    assert build_full(build_v3).count_params() == 11_348_680


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        # Huang et al. 2019, table I; convolutions 11 to 13 as in the published code.
        (build_v1, {
            "encoder1_conv1": (9, 64), "encoder1_conv2": (64, 64),
            "encoder2_conv1": (64, 128), "encoder2_conv2": (128, 128),
            "encoder3_conv1": (128, 256), "encoder3_conv2": (256, 256),
            "encoder3_conv3": (256, 256),
            "bottleneck_conv1": (256, 512), "bottleneck_conv2": (512, 512),
            "bottleneck_conv3": (512, 512),
            "decoder1_conv1": (512, 256), "decoder1_conv2": (256, 256),
            "decoder1_conv3": (256, 256),
            "decoder2_conv1": (256, 128), "decoder2_conv2": (128, 128),
            "decoder3_conv1": (128, 64), "decoder3_conv2": (64, 64),
            "head": (64, 256),
        }),
        # The published V3 checkpoint, channels up to the skip's included.
        (build_v3, {
            "encoder1_conv1": (27, 64), "encoder1_conv2": (64, 64),
            "encoder2_conv1": (64, 128), "encoder2_conv2": (128, 128),
            "encoder3_conv1": (128, 256), "encoder3_conv2": (256, 256),
            "encoder3_conv3": (256, 256),
            "bottleneck_conv1": (256, 512), "bottleneck_conv2": (512, 512),
            "bottleneck_conv3": (512, 512),
            "decoder1_conv1": (512 + 256, 256), "decoder1_conv2": (256, 256),
            "decoder1_conv3": (256, 256),
            "decoder2_conv1": (256 + 128, 128), "decoder2_conv2": (128, 128),
            "decoder3_conv1": (128 + 64, 64), "decoder3_conv2": (64, 64),
            "head": (64, 8),
        }),
        # The published rectifier's checkpoint.
        (build_rectifier, {
            "down1": (3, 32), "down2": (32, 64), "down3": (64, 128),
            "bottleneck_conv1": (128, 256), "bottleneck_conv2": (256, 256),
            "up1": (256 + 128, 128), "up2": (128 + 64, 64), "up3": (64 + 32, 32),
            "head": (32, 2),
        }),
    ],
)  # fmt: skip
def test_convolutions_are_those_of_the_paper_in_name_order_and_size(build, expected):
    assert list(kernels(build_full(build)).items()) == list(expected.items())


def test_v2_and_v3_share_their_layers():
    v2, v3 = build_full(build_v2), build_full(build_v3, background="none", frames=3)
    assert list(kernels(v2).items()) == list(kernels(v3).items())


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_is_named_by_us(kind):
    first = names(look_at(kind))
    assert len(set(first)) == len(first)
    # Names that Keras makes up count on from one network to the next.
    assert names(build_tiny(kind)) == first


@pytest.mark.parametrize(
    ("kind", "order", "bias"),
    [
        # Convolution, ReLU, normalisation.
        ("v1", ("", "_relu", "_bn"), True),
        ("v2", ("", "_relu", "_bn"), True),
        # Convolution, normalisation, ReLU.
        ("v3", ("", "_bn", "_relu"), False),
        # No normalisation.
        ("rectifier", ("", "_relu"), True),
    ],
)
def test_blocks_are_in_the_published_order(kind, order, bias):
    model = look_at(kind)
    blocks = [name for name in kernels(model) if kind == "v1" or name != "head"]
    for name in blocks:
        block = [model.get_layer(name + suffix) for suffix in order]
        assert block[0].use_bias is bias
        assert block[0].activation is keras.activations.linear
        for before, after in pairwise(block):
            assert after.input is before.output
    norms = [x.name for x in model.layers if isinstance(x, layers.BatchNormalization)]
    assert sorted(norms) == sorted(f"{name}_bn" for name in blocks if "_bn" in order)


@pytest.mark.parametrize("kind", TRACKERS)
def test_normalisation_is_over_channels_with_pytorchs_settings(kind):
    norms = [x for x in look_at(kind).layers if isinstance(x, layers.BatchNormalization)]
    assert {(x.axis, x.epsilon, x.momentum) for x in norms} <= {(-1, 1e-5, 0.9), (3, 1e-5, 0.9)}


def test_rectifier_leaks_a_hundredth():
    leaks = [x for x in look_at("rectifier").layers if isinstance(x, layers.LeakyReLU)]
    assert {round(float(x.negative_slope), 6) for x in leaks} == {0.01}


@pytest.mark.parametrize(
    ("kind", "joints"),
    [
        # No skip connection.
        ("v1", {}),
        # The enlarged map first, then the encoder's.
        ("v2", {"decoder1_concat": ["decoder1_up", "encoder3_conv3_bn"],
                "decoder2_concat": ["decoder2_up", "encoder2_conv2_bn"],
                "decoder3_concat": ["decoder3_up", "encoder1_conv2_bn"]}),
        ("v3", {"decoder1_concat": ["decoder1_up", "encoder3_conv3_relu"],
                "decoder2_concat": ["decoder2_up", "encoder2_conv2_relu"],
                "decoder3_concat": ["decoder3_up", "encoder1_conv2_relu"]}),
        # Coordinates before the mask.
        ("rectifier", {"input_concat": ["coordinates", "mask"],
                       "up1_concat": ["bottleneck_conv2_relu", "down3_relu"],
                       "up2_concat": ["up1_relu", "down2_relu"],
                       "up3_concat": ["up2_relu", "down1_relu"]}),
    ],
)  # fmt: skip
def test_skip_connections_join_in_the_published_order(kind, joints):
    model = look_at(kind)
    found = [x.name for x in model.layers if isinstance(x, layers.Concatenate)]
    assert sorted(found) == sorted(joints)
    for joint, sources in joints.items():
        expected = [model.get_layer(source).output for source in sources]
        for tensor, source in zip(model.get_layer(joint).input, expected, strict=True):
            assert tensor is source


@pytest.mark.parametrize("kind", TRACKERS)
def test_three_poolings_are_undone_by_nearest_neighbours(kind):
    model = look_at(kind)
    pools = [x for x in model.layers if isinstance(x, layers.MaxPooling2D)]
    ups = [x for x in model.layers if isinstance(x, layers.UpSampling2D)]
    assert [x.output.shape[1:3] for x in pools] == [(16, 32), (8, 16), (4, 8)]
    assert [x.output.shape[1:3] for x in ups] == [(8, 16), (16, 32), (32, 64)]
    assert {x.interpolation for x in ups} == {"nearest"}


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_first_weights_are_uniform_within_a_twentieth(kind):
    kernel = look_at(kind).get_layer("bottleneck_conv2").get_weights()[0]
    assert 0.04 < np.abs(kernel).max() <= 0.05


@pytest.mark.parametrize("kind", ["v2", "v3", "rectifier"])
def test_output_is_between_0_and_1_in_float32(kind):
    model = look_at_random(kind)
    output = run(model, draw_inputs(model))
    assert output.shape == (2, *model.output_shape[1:])
    assert output.dtype == np.float32
    assert 0 <= output.min() < output.max() <= 1


def test_v1_gives_scores_before_the_softmax():
    model = look_at_random("v1")
    output = run(model, draw_inputs(model))
    assert output.shape == (2, *SIZE, 256)
    assert output.min() < 0
    assert not np.allclose(output.sum(-1), 1)


@pytest.fixture
def half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("half_precision")
@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_heatmaps_stay_float32_in_half_precision(kind):
    model = build_tiny(kind)
    assert model.get_layer("encoder1_conv1").compute_dtype == "bfloat16"
    assert run(model, draw_inputs(model)).dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        # As published: undecided.
        ("v2", {}, 0.5),
        ("v3", {}, 0.5),
        # Nearly empty maps: 1 / (1 + e^4).
        ("v2", {"output_bias": -4.0}, 0.0179862),
        ("v3", {"output_bias": -4.0}, 0.0179862),
    ],
)
def test_output_bias_is_what_a_fresh_network_answers_to_nothing(kind, settings, expected):
    model = build_tiny(kind, **settings)
    np.testing.assert_allclose(run(model, 0 * draw_inputs(model)), expected, atol=1e-6)


def test_v1_output_bias_lifts_the_class_of_no_ball():
    model = build_tiny("v1", output_bias=4.0)
    scores = run(model, 0 * draw_inputs(model))
    np.testing.assert_array_equal(scores[..., 0], 4)
    np.testing.assert_array_equal(scores[..., 1:], 0)


@pytest.mark.parametrize(
    ("kind", "settings", "channels", "outputs"),
    [
        # One frame.
        ("v1", {"frames": 1}, 3, 256),
        ("v1", {"classes": 16}, 9, 16),
        ("v2", {"frames": 1}, 3, 1),
        ("v2", {"frames": 5}, 15, 5),
        # m-in-n-out.
        ("v2", {"frames": 5, "heatmaps": 2}, 15, 2),
        ("v3", {"frames": 1}, 6, 1),
        ("v3", {"frames": 3, "background": "none"}, 9, 3),
        ("v3", {"frames": 3, "background": "subtract"}, 3, 3),
        ("v3", {"frames": 3, "background": "subtract_concat"}, 12, 3),
    ],
)
def test_channels_follow_frames_and_background(kind, settings, channels, outputs):
    model = build_tiny(kind, **settings)
    assert model.input_shape == (None, *SIZE, channels)
    assert model.output_shape == (None, *SIZE, outputs)


@pytest.mark.parametrize(
    ("filters", "multiplier", "expected"),
    [
        # Unchanged.
        (64, 1.0, 64),
        (64, 0.5, 32),
        (64, 1.5, 96),
        # Rounded, not truncated.
        (64, 0.3, 19),
        # Never none.
        (64, 0.001, 1),
    ],
)
def test_width_multiplier_scales_filters(filters, multiplier, expected):
    assert scale_filters(filters, multiplier) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_narrow_network_has_the_same_layers_and_shapes(kind):
    narrow, wide = look_at(kind), build_tiny(kind, width_multiplier=0.25)
    assert names(narrow) == names(wide)
    assert (narrow.input_shape, narrow.output_shape) == (wide.input_shape, wide.output_shape)
    assert narrow.count_params() < wide.count_params()


@pytest.mark.parametrize("kind", TRACKERS)
def test_network_without_a_size_takes_any_multiple_of_8(kind):
    model = randomize_weights(build_tiny(kind, input_size=(None, None), width_multiplier=0.03))
    fixed = build_tiny(kind, input_size=(8, 24), width_multiplier=0.03)
    fixed.set_weights(model.get_weights())
    for size in ((8, 8), (16, 40)):
        pictures = np.zeros((1, *size, model.input_shape[-1]), np.float32)
        assert run(model, pictures).shape == (1, *size, model.output_shape[-1])
    np.testing.assert_allclose(
        run(model, draw_inputs(fixed)), run(fixed, draw_inputs(fixed)), atol=1e-6
    )


def test_rectifier_without_a_window_takes_any():
    model = randomize_weights(build_tiny("rectifier", window=None))
    fixed = build_tiny("rectifier", window=5)
    fixed.set_weights(model.get_weights())
    np.testing.assert_allclose(
        run(model, draw_inputs(fixed)), run(fixed, draw_inputs(fixed)), atol=1e-6
    )


def test_rectifier_sees_nine_neighbours_on_both_sides():
    model = randomize_weights(build_tiny("rectifier", window=41))
    coordinates, mask = draw_inputs(model, batch=1)
    changed = coordinates.copy()
    changed[0, 20] += 0.5
    difference = np.abs(run(model, [changed, mask]) - run(model, [coordinates, mask])).max(-1)[0]
    assert np.flatnonzero(difference).tolist() == list(range(11, 30))


@pytest.mark.parametrize(
    ("build", "settings", "message"),
    [
        # Three poolings would leave half pixels.
        (build_v1, {"input_size": (100, 64)}, r"multiples of 8.*input_size=\(100, 64\)"),
        (build_v2, {"input_size": (32, 60)}, r"multiples of 8.*input_size=\(32, 60\)"),
        (build_v3, {"input_size": (32, 60)}, r"multiples of 8.*input_size=\(32, 60\)"),
        # One side given is checked too.
        (build_v2, {"input_size": (None, 60)}, r"multiples of 8.*input_size=\(None, 60\)"),
        (build_v2, {"input_size": (0, 64)}, r"multiples of 8.*input_size=\(0, 64\)"),
        (build_v2, {"input_size": (-8, 64)}, r"multiples of 8.*input_size=\(-8, 64\)"),
        (build_v1, {"frames": 0}, "`frames` must be at least 1. Received: frames=0"),
        (build_v1, {"classes": 0}, "`classes` must be at least 1. Received: classes=0"),
        (build_v2, {"frames": 0}, "`frames` must be at least 1. Received: frames=0"),
        (build_v2, {"heatmaps": 0}, "`heatmaps` must be at least 1. Received: heatmaps=0"),
        # A map for a frame that the network has not seen.
        (build_v2, {"heatmaps": 4}, "at most `frames`. Received: heatmaps=4, frames=3"),
        (build_v3, {"frames": 0}, "`frames` must be at least 1. Received: frames=0"),
        (build_v3, {"background": "median"}, "`background` must be one of none.*'median'"),
        (build_rectifier, {"window": 0}, "`window` must be at least 1 or None.*window=0"),
        (build_v1, {"width_multiplier": 0}, "above 0. Received: width_multiplier=0"),
        (build_v2, {"width_multiplier": -1}, "above 0. Received: width_multiplier=-1"),
        (build_v3, {"width_multiplier": 0}, "above 0. Received: width_multiplier=0"),
        (build_rectifier, {"width_multiplier": 0}, "above 0. Received: width_multiplier=0"),
    ],
)
def test_wrong_argument_is_named_with_what_came(build, settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_network_predicts_the_same(kind, tmp_path):
    model = look_at_random(kind)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.name, names(loaded)) == (model.name, names(model))
    inputs = draw_inputs(model)
    np.testing.assert_array_equal(run(loaded, inputs), run(model, inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_network_comes_back_from_its_json(kind):
    model = look_at_random(kind)
    copy = keras.models.model_from_json(model.to_json())
    assert (copy.name, names(copy)) == (model.name, names(model))
    copy.set_weights(model.get_weights())
    inputs = draw_inputs(model)
    np.testing.assert_array_equal(run(copy, inputs), run(model, inputs))
