"""V4, V5 and WASB: published counts, and figures computed by hand or by NumPy."""

from functools import cache

import keras
import numpy as np
import pytest
from helpers_models import SIZE, build_tiny, draw_inputs, randomize_weights, run
from keras import layers

from keras_tracknet.models.motion import MotionFusion, MotionPrompt
from keras_tracknet.models.patches import (
    AlignedUpSampling,
    JoinPatches,
    SplitPatches,
    TokenPositions,
    interpolate_aligned,
)
from keras_tracknet.models.v4 import build_v4
from keras_tracknet.models.v5 import build_v5
from keras_tracknet.models.wasb import build_wasb

look_at_random = cache(lambda kind, **settings: randomize_weights(build_tiny(kind, **settings)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def to_logit(p):
    return np.log(p) - np.log1p(-p)


def count_trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


@pytest.mark.parametrize(
    ("build", "settings", "input_shape", "maps", "trainable", "all_of_them"),
    [
        # V2's parameters, and two of the motion prompt.
        (build_v4, {}, (None, 288, 512, 9), 3, 11_334_149, 11_341_829),
        (build_v4, {"fusion": "b"}, (None, 288, 512, 9), 3, 11_334_149, 11_341_829),
        # V3's, likewise.
        (build_v4, {"base": "v3"}, (None, 288, 512, 27), 8, 11_341_002, 11_348_682),
        # As published.
        (build_v5, {}, (None, 288, 512, 9), 3, 14_771_458, 14_779_138),
        # The published 1,481,427 less the fusions that nothing reads.
        (build_wasb, {}, (None, 288, 512, 9), 3, 1_481_427 - 193_248, 1_293_427),
        (build_wasb, {"heatmaps": 1}, (None, 288, 512, 9), 1, 1_288_145, 1_293_393),
    ],
)
def test_published_shapes_and_parameters(
    build, settings, input_shape, maps, trainable, all_of_them
):
    model = build(**settings)
    assert (model.input_shape, model.output_shape) == (input_shape, (None, 288, 512, maps))
    assert (count_trainable(model), model.count_params()) == (trainable, all_of_them)


@pytest.mark.parametrize(
    ("build", "settings", "message"),
    [
        (build_v4, {"base": "v1"}, "`base` must be one of v2, v3. Received: base='v1'"),
        (build_v4, {"fusion": "c"}, "`fusion` must be one of a, b. Received: fusion='c'"),
        (build_v4, {"frames": 1}, "`frames` must be at least 2. Received: frames=1"),
        (build_v4, {"base": "v3", "background": "subtract"}, "`background` must be one of none, s"),
        (build_v5, {"input_size": (24, 64)}, r"multiples of 16. Received: input_size=\(24, 64\)"),
        (build_v5, {"input_size": (None, 64)}, "multiples of 16"),
        (build_v5, {"heads": 0}, "`heads` must be at least 1"),
        (build_wasb, {"heatmaps": 4}, "at most `frames`. Received: heatmaps=4, frames=3"),
        (build_wasb, {"input_size": (36, 64)}, "multiples of 8"),
    ],
)
def test_wrong_argument_is_named(build, settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


# --- motion


def look(change, frames=2, **settings):
    """Return a motion prompt's answer to grey pictures that change by so much."""
    x = np.zeros((1, 1, len(change), 3 * frames), np.float32)
    x[..., 3:] = np.reshape(change, (1, 1, -1, 1))
    return run(MotionPrompt(frames, **settings), x)[0, 0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # V4's published start: slope 7.767 on brightness of 0 to 1.
        ({}, [0.5, 0.538755, 0.684960, 0.979833, 0.999577]),
        # Another code's V4: no factor, another epsilon.
        ({"gain": 1.0, "epsilon": 1e-6}, [0.5, 0.902874, 0.999985, 1, 1]),
        # Another's, linear: slope 16.24, shift 0.28, mean of the channels.
        (
            {
                "gain": 1.0,
                "linear": True,
                "start": (16.24, -16.24 * 0.28),
                "luminance": (1 / 3,) * 3,
            },
            [0.010486, 0.014452, 0.051019, 0.972690, 0.999992],
        ),
    ],
)
def test_motion_attention_is_the_published_one(settings, expected):
    found = look([0, 0.02, 0.1, 0.5, 1], **settings)[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_directions_of_motion_are_the_published_ones():
    v5 = {"signed": True, "gain": 1.0, "epsilon": 1e-6, "start": (0.2, 0.15)}
    brighter, darker = look([0, 0.02, 0.1, 0.5], **v5).T
    np.testing.assert_allclose(brighter, [0.0065043, 0.0197840, 0.6457927, 1], atol=1e-6)
    np.testing.assert_allclose(darker, 0.0065043, atol=1e-6)


def test_colours_count_by_their_luminance_and_only_in_their_frames():
    x = np.full((1, 1, 1, 9), 0.3, np.float32)
    x[..., 8] += 0.4  # blue of the last frame
    first, second = run(MotionPrompt(3), x).ravel()
    slope = 5 / (0.45 * np.tanh(0.1) + 0.1)
    np.testing.assert_allclose(to_logit(second), slope * 0.02565 * 0.4, rtol=1e-4)
    np.testing.assert_allclose(first, 0.5, atol=1e-6)


@pytest.mark.parametrize("background", ["concat", "subtract_concat"])
def test_the_background_is_no_motion(background):
    frames = np.random.default_rng(0).uniform(0, 1, (1, 4, 6, 3, 3)).astype(np.float32)
    other = np.full((1, 4, 6, 3, 1), 0.9, np.float32)
    if background == "concat":
        x = np.concatenate([np.full((1, 4, 6, 3), 0.9), frames.reshape(1, 4, 6, 9)], -1)
    else:
        x = np.concatenate([frames, other], -1).reshape(1, 4, 6, 12)
    found = run(MotionPrompt(3, background), x.astype(np.float32))
    np.testing.assert_allclose(found, run(MotionPrompt(3), frames.reshape(1, 4, 6, 9)), atol=1e-6)


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        ("a", [10, 20 * 0.5, 30 * 0.1]),
        ("b", [10 * 0.5, 20 * 0.3, 30 * 0.1]),
        ("mean", [10 * 0.3, 20 * 0.3, 30 * 0.3]),
        ("stack", [10, 20, 30, 5, 10, 15, 1, 2, 3]),
    ],
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_maps_are_gated_by_the_changes_beside_them(fusion, expected, data_format):
    shape = (1, 1, 1, -1) if data_format == "channels_last" else (1, -1, 1, 1)
    maps, attention = (np.reshape(v, shape).astype(np.float32) for v in ([10, 20, 30], [0.5, 0.1]))
    layer = MotionFusion(fusion, data_format)
    np.testing.assert_allclose(run(layer, [maps, attention]).ravel(), expected, rtol=1e-6)
    assert (
        layer.compute_output_shape([maps.shape, attention.shape]) == layer([maps, attention]).shape
    )


@pytest.mark.parametrize("base", ["v2", "v3"])
@pytest.mark.parametrize("fusion", ["a", "b"])
def test_v4_is_its_base_gated(base, fusion):
    settings = {"base": base, "fusion": fusion, "frames": 3}
    v4 = look_at_random("v4", **settings)
    plain = build_tiny(base, frames=3)
    plain.set_weights([w for w in v4.get_weights() if w.shape != ()])
    inputs = draw_inputs(v4)
    logits = to_logit(run(plain, inputs).astype(np.float64))
    prompt = v4.get_layer("motion")
    a = run(prompt, inputs)
    a0, a1 = a[..., 0], a[..., 1]
    gates = {"a": [np.ones_like(a0), a0, a1], "b": [a0, (a0 + a1) / 2, a1]}[fusion]
    np.testing.assert_allclose(run(v4, inputs), sigmoid(logits * np.stack(gates, -1)), atol=1e-5)
    # A neutral prompt lets everything through.
    prompt.a.assign(0.1)
    prompt.b.assign(-20.0)
    np.testing.assert_allclose(run(v4, inputs), run(plain, inputs), atol=1e-6)


def test_a_still_clip_halves_the_gated_maps():
    v4 = build_tiny("v4", output_bias=-3.0)
    still = np.tile(np.random.default_rng(0).uniform(0, 1, (1, *SIZE, 3)), 3).astype(np.float32)
    before = keras.Model(v4.input, v4.get_layer("head").output)
    z = run(before, still)
    np.testing.assert_allclose(run(v4, still), sigmoid(z * [1, 0.5, 0.5]), atol=1e-6)


@pytest.mark.parametrize("start", [(0.0, 0.0), (0.2, 0.15)])
def test_the_motion_prompt_learns_without_overflow(start):
    layer = MotionPrompt(2, signed=True, gain=1.0, epsilon=1e-6, start=start)
    x = np.random.default_rng(0).uniform(0, 1, (1, 4, 4, 6)).astype(np.float32)
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes gradients with TensorFlow")
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = tf.reduce_sum(layer(x))
    slopes = [float(g) for g in tape.gradient(value, layer.trainable_variables)]
    assert np.isfinite(slopes).all()
    assert start == (0.0, 0.0) or all(slopes)


# --- patches


def test_aligned_corners_stay():
    np.testing.assert_allclose(interpolate_aligned(2) @ [0, 1], [0, 1 / 3, 2 / 3, 1], atol=1e-6)
    line = interpolate_aligned(3) @ [0, 1, 4]
    np.testing.assert_allclose(line, [0, 0.4, 0.8, 1.6, 2.8, 4], atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        lambda f: AlignedUpSampling(f),
        lambda f: MotionPrompt(2, signed=True, data_format=f),
    ],
    ids=["aligned", "prompt"],
)
def test_channels_first_gives_the_same(layer):
    x = np.random.default_rng(0).uniform(0, 1, (2, 4, 6, 6)).astype(np.float32)
    expected = run(layer("channels_last"), x)
    first = layer("channels_first")
    found = run(first, x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, atol=1e-6)
    assert first.compute_output_shape((2, 6, 4, 6)) == found.shape
    assert layer("channels_last").compute_output_shape(x.shape) == expected.shape


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_patches_come_together_again(data_format):
    x = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)
    turned = x if data_format == "channels_last" else x.transpose(0, 3, 1, 2)
    split = SplitPatches(2, data_format)
    tokens = run(split, turned)
    assert tokens.shape == split.compute_output_shape(turned.shape) == (2, 18, 4)
    # Of the second map, the patch in the second row and the third column.
    np.testing.assert_array_equal(tokens[0, 6 + 3 + 2], x[0, 2:4, 4:6, 1].ravel())
    join = JoinPatches(4, 6, 2, data_format)
    np.testing.assert_array_equal(run(join, tokens), turned)
    assert join.compute_output_shape(tokens.shape) == turned.shape


def test_tokens_learn_their_place():
    layer = TokenPositions(3)
    x = np.zeros((1, 6, 4), np.float32)
    found = run(layer, x)[0].reshape(3, 2, 4)
    space, time = (np.asarray(w) for w in layer.get_weights())
    np.testing.assert_allclose(found, space[0][None] + time[0][:, None], atol=1e-6)


# --- V5


def attend(x, w, heads):
    """A transformer layer by its equations; `w` are the Keras layers."""

    def norm(x, layer):
        gain, bias = layer.get_weights()
        middle = x - x.mean(-1, keepdims=True)
        return middle / np.sqrt((middle**2).mean(-1, keepdims=True) + 1e-5) * gain + bias

    q, qb, k, kb, v, vb, out, outb = w["attention"].get_weights()
    total = np.zeros_like(x) + outb
    for head in range(heads):
        query, key = x @ q[:, head] + qb[head], x @ k[:, head] + kb[head]
        scores = query @ key.T / np.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        total += weights @ (x @ v[:, head] + vb[head]) @ out[head]
    x = norm(x + total, w["attention_norm"])
    (w1, b1), (w2, b2) = w["dense1"].get_weights(), w["dense2"].get_weights()
    return norm(x + np.maximum(x @ w1 + b1, 0) @ w2 + b2, w["dense_norm"])


def test_v5_refines_its_drafts_as_published():
    model = look_at_random("v5")
    inputs = draw_inputs(model, batch=1)
    at = lambda name: run(keras.Model(model.input, model.get_layer(name).output), inputs)  # noqa: E731
    drafts, motion = at("draft")[0].astype(np.float64), at("motion")[0]
    gated = drafts * np.stack([np.ones(SIZE), motion[..., 0], motion[..., 1]], -1)
    rows, columns = SIZE[0] // 16, SIZE[1] // 16
    tokens = gated.reshape(rows, 16, columns, 16, 3).transpose(4, 0, 2, 1, 3).reshape(-1, 256)
    kernel, bias = model.get_layer("refiner_embed").get_weights()
    space, time = model.get_layer("refiner_positions").get_weights()
    x = tokens @ kernel + bias + np.tile(space[0], (3, 1)) + np.repeat(time[0], rows * columns, 0)
    names = ("attention", "attention_norm", "dense1", "dense2", "dense_norm")
    for number in range(1, 5):
        w = {name: model.get_layer(f"refiner_encoder{number}_{name}") for name in names}
        x = attend(x, w, heads=2)
    kernel, bias = model.get_layer("refiner_decode").get_weights()
    out = (x @ kernel + bias).reshape(3, rows, columns, 16, 16).transpose(1, 3, 2, 4, 0)
    expected = sigmoid(gated + out.reshape(*SIZE, 3))
    np.testing.assert_allclose(run(model, inputs)[0], expected, atol=1e-4)


def test_v5_sees_directions_and_keeps_drafts_where_nothing_is_added():
    model = randomize_weights(build_tiny("v5"))
    inputs = draw_inputs(model, batch=1)
    decode = model.get_layer("refiner_decode")
    decode.set_weights([np.zeros_like(w) for w in decode.get_weights()])
    gated = keras.Model(model.input, model.get_layer("motion_fusion").output)
    np.testing.assert_allclose(run(model, inputs), sigmoid(run(gated, inputs)), atol=1e-6)
    backwards = np.concatenate([inputs[..., 6:], inputs[..., 3:6], inputs[..., :3]], -1)
    assert np.abs(run(model, backwards)[..., ::-1] - run(model, inputs)).max() > 1e-3


@pytest.mark.parametrize("kind", ["v4", "v5", "wasb"])
def test_output_is_float32_in_half_precision_and_starts_at_the_bias(kind):
    from keras_tracknet.weights.model_file import set_precision

    model = build_tiny(kind, output_bias=-4.0)
    empty = 0 * draw_inputs(model)
    found = run(model, empty)
    # V4's gates halve the bias where nothing moves; V5's patches say a little of their places.
    expected = {"v4": [sigmoid(-4), sigmoid(-2), sigmoid(-2)]}.get(kind, sigmoid(-4.0))
    if kind == "v4":
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-6)
    else:
        assert abs(np.median(found) - expected) < 0.02
    set_precision(model, "mixed_bfloat16")
    computed = {x.name: x.compute_dtype for x in model.layers}
    inner = "stage4_0_branches_3_1_conv2" if kind == "wasb" else "encoder1_conv1"
    assert computed[inner] == "bfloat16"
    whole = {n for n, kind in computed.items() if kind == "float32"}
    assert {"heatmaps", *(n for n in computed if n.startswith(("motion", "refiner")))} <= whole
    assert run(model, empty).dtype == np.float32


# --- WASB


def test_wasb_pads_its_strides_on_both_sides():
    model = build_tiny("wasb")
    strided = [x for x in model.layers if isinstance(x, layers.Conv2D) and x.strides == (2, 2)]
    assert len(strided) == 3 + 1 + 4  # transitions; fusions of stages 2 and 3
    for layer in strided:
        assert layer.padding == "valid"
        assert model.get_layer(f"{layer.name}_pad").padding == ((1, 1), (1, 1))


@pytest.mark.parametrize("kind", ["v4", "wasb"])
def test_network_without_a_size_takes_any_multiple_of_8(kind):
    model = randomize_weights(build_tiny(kind, input_size=(None, None)))
    fixed = build_tiny(kind, input_size=(8, 24))
    fixed.set_weights(model.get_weights())
    np.testing.assert_allclose(
        run(model, draw_inputs(fixed)), run(fixed, draw_inputs(fixed)), atol=1e-6
    )
