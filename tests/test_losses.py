import keras
import numpy as np
import pytest
from keras import ops

from keras_tracknet.losses import (
    FocalBCE,
    MaskedDistance,
    MaskedMSE,
    PixelCrossEntropy,
    QualityFocal,
    WeightedBCE,
    focal_bce,
    masked_distance,
    masked_mse,
    pixel_cross_entropy,
    quality_focal,
    weighted_bce,
)

HEATMAP_LOSSES = [weighted_bce, focal_bce, quality_focal]
CLASSES = [
    WeightedBCE(),
    FocalBCE(),
    FocalBCE(gamma=1.5, alpha=0.75),
    QualityFocal(),
    QualityFocal(beta=1.0),
    PixelCrossEntropy(),
    MaskedMSE(),
    MaskedDistance(),
]


def evaluate(loss, y_true, y_pred, **settings):
    y_true, y_pred = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
    return np.asarray(ops.convert_to_numpy(loss(y_true, y_pred, **settings)))


def draw_pair(loss, batch=3, seed=0):
    """Return a target and a prediction in the shapes that a loss takes."""
    rng = np.random.default_rng(seed)
    if isinstance(loss, PixelCrossEntropy) or loss is pixel_cross_entropy:
        return rng.integers(0, 8, (batch, 4, 6)), rng.normal(0, 2, (batch, 4, 6, 8))
    if isinstance(loss, MaskedMSE | MaskedDistance) or loss in (masked_mse, masked_distance):
        mask = rng.integers(0, 2, (batch, 5, 1))
        position = rng.uniform(0, 1, (batch, 5, 2))
        return np.concatenate([position, mask], -1), rng.uniform(0, 1, (batch, 5, 2))
    shape = (batch, 4, 6, 2)
    return rng.integers(0, 2, shape), rng.uniform(0.01, 0.99, shape)


def two_pixels(first, second):
    return np.array([first, second], np.float32).reshape(1, 1, 2, 1)


@pytest.mark.parametrize(
    ("loss", "settings", "truth", "predicted", "expected"),
    [
        # -ln 0.8 = 0.2231436 counts (1 - 0.8)^2, -ln 0.7 = 0.3566749 counts 0.3^2.
        (weighted_bce, {}, (1, 0), (0.8, 0.3), (0.04 * 0.2231436 + 0.09 * 0.3566749) / 2),
        # Half a ball: -ln 0.8 counts 0.5 x 0.2^2, -ln 0.2 = 1.6094379 counts 0.5 x 0.8^2.
        (weighted_bce, {}, (0.5, 0), (0.8, 0.0), (0.02 * 0.2231436 + 0.32 * 1.6094379) / 2),
        # The ball's pixels count a quarter, the others three quarters.
        (focal_bce, {"alpha": 0.25}, (1, 0), (0.8, 0.3),
         (0.25 * 0.04 * 0.2231436 + 0.75 * 0.09 * 0.3566749) / 2),
        (focal_bce, {"gamma": 1.0}, (1, 0), (0.8, 0.3), (0.2 * 0.2231436 + 0.3 * 0.3566749) / 2),
        # |0.5 - 0.8|^2 times the cross-entropy of 0.5 and 0.8.
        (quality_focal, {}, (0.5, 0), (0.8, 0.0),
         0.09 * (0.5 * 0.2231436 + 0.5 * 1.6094379) / 2),
        (quality_focal, {"beta": 1.0}, (1, 0), (0.8, 0.3),
         (0.2 * 0.2231436 + 0.3 * 0.3566749) / 2),
    ],
)  # fmt: skip
def test_heatmap_loss_of_two_pixels_by_hand(loss, settings, truth, predicted, expected):
    got = evaluate(loss, two_pixels(*truth), two_pixels(*predicted), **settings)
    np.testing.assert_allclose(got, [expected], rtol=1e-5)


def test_focal_without_gamma_is_binary_cross_entropy():
    y_true, y_pred = draw_pair(focal_bce)
    twin = evaluate(keras.losses.binary_crossentropy, y_true, y_pred)
    got = evaluate(focal_bce, y_true, y_pred, gamma=0.0)
    np.testing.assert_allclose(got, twin.mean(axis=(1, 2)), rtol=1e-5)


def test_weighted_bce_is_focal_with_gamma_2():
    y_true, y_pred = draw_pair(weighted_bce)
    twin = evaluate(focal_bce, y_true, y_pred, gamma=2.0)
    np.testing.assert_array_equal(evaluate(weighted_bce, y_true, y_pred), twin)


def test_focal_with_half_alpha_is_half_the_focal():
    y_true, y_pred = draw_pair(focal_bce)
    half = evaluate(focal_bce, y_true, y_pred, alpha=0.5)
    np.testing.assert_allclose(half, evaluate(focal_bce, y_true, y_pred) / 2, rtol=1e-6)


def test_quality_focal_is_weighted_bce_on_targets_of_0_and_1():
    y_true, y_pred = draw_pair(quality_focal)
    twin = evaluate(weighted_bce, y_true, y_pred)
    np.testing.assert_allclose(evaluate(quality_focal, y_true, y_pred), twin, rtol=1e-5)


@pytest.mark.parametrize("target", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_quality_focal_is_0_where_the_prediction_equals_the_target(target):
    at = [evaluate(quality_focal, two_pixels(target, target), two_pixels(p, p))[0]
          for p in (target, abs(target - 0.05))]  # fmt: skip
    assert 0 <= at[0] < 1e-12
    assert at[1] > 1e-4


@pytest.mark.parametrize("loss", [weighted_bce, focal_bce])
def test_loss_of_a_mixed_target_is_the_mix_of_the_losses(loss):
    (one, y_pred), (other, _) = draw_pair(loss, seed=1), draw_pair(loss, seed=2)
    mixed = evaluate(loss, 0.7 * one + 0.3 * other, y_pred)
    parts = 0.7 * evaluate(loss, one, y_pred) + 0.3 * evaluate(loss, other, y_pred)
    np.testing.assert_allclose(mixed, parts, rtol=1e-5)


def test_pixel_cross_entropy_is_minus_the_log_softmax_of_the_true_class():
    y_true, y_pred = draw_pair(pixel_cross_entropy)
    share = np.exp(y_pred) / np.exp(y_pred).sum(-1, keepdims=True)
    expected = -np.log(np.take_along_axis(share, y_true[..., None], -1)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(evaluate(pixel_cross_entropy, y_true, y_pred), expected, rtol=1e-5)
    with_channel = evaluate(pixel_cross_entropy, y_true[..., None], y_pred)
    np.testing.assert_allclose(with_channel, expected, rtol=1e-5)


def test_pixel_cross_entropy_of_undecided_scores_is_the_log_of_the_classes():
    got = evaluate(pixel_cross_entropy, np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 256)))
    np.testing.assert_allclose(got, [np.log(256)], rtol=1e-6)


def test_pixel_cross_entropy_takes_byte_classes_above_127():
    scores = np.zeros((1, 1, 1, 256), np.float32)
    scores[..., 200] = 50
    target = np.full((1, 1, 1), 200, np.uint8)
    assert float(ops.convert_to_numpy(PixelCrossEntropy()(target, scores))) < 1e-6


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        # One of two frames masked: (0.1^2 + 0.2^2) over 2 frames x 2 axes.
        ([(0.5, 0.5, 1), (0.2, 0.2, 0)], [(0.6, 0.3), (0.9, 0.9)], 0.05 / 4),
        # Both masked: the same divisor.
        ([(0.5, 0.5, 1), (0.2, 0.2, 1)], [(0.6, 0.3), (0.2, 0.3)], 0.06 / 4),
        # None masked.
        ([(0.5, 0.5, 0), (0.2, 0.2, 0)], [(0.6, 0.3), (0.9, 0.9)], 0),
        # Twice the frames halve what one masked frame counts.
        ([(0.5, 0.5, 1)] + 3 * [(0, 0, 0)], [(0.6, 0.3)] + 3 * [(1, 1)], 0.05 / 8),
    ],
)
def test_masked_mse_divides_by_all_values_masked_or_not(truth, predicted, expected):
    np.testing.assert_allclose(evaluate(masked_mse, [truth], [predicted]), [expected], rtol=1e-5)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        # (0.3, 0.4) away and (0, 0.1) away, over two frames.
        ((1, 1), (0.5 + 0.1) / 2),
        ((1, 0), 0.5 / 2),
        ((0, 0), 0),
    ],
)
def test_masked_distance_is_that_of_the_masked_frames(mask, expected):
    truth = [(0.5, 0.5, mask[0]), (0.2, 0.2, mask[1])]
    value = evaluate(masked_distance, [truth], [[(0.8, 0.9), (0.2, 0.3)]])
    np.testing.assert_allclose(value, [expected], atol=1e-5)


def test_masked_distance_trains_on_where_the_truth_is_hit():
    model = keras.Sequential([keras.Input((1, 2)), keras.layers.Dense(2, "linear", name="same")])
    model.set_weights([np.eye(2), np.zeros(2)])
    model.compile("sgd", MaskedDistance())
    model.fit(np.full((1, 1, 2), 0.5), np.array([[[0.5, 0.5, 1.0]]]), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], np.eye(2), atol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [*HEATMAP_LOSSES, pixel_cross_entropy, masked_mse, masked_distance],
    ids=lambda f: f.__name__,
)
def test_loss_gives_one_value_a_sample(loss):
    y_true, y_pred = draw_pair(loss, batch=3)
    together = evaluate(loss, y_true, y_pred)
    assert together.shape == (3,)
    alone = [evaluate(loss, y_true[i : i + 1], y_pred[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("loss", CLASSES, ids=lambda x: x.name)
def test_sample_weight_multiplies_a_samples_loss(loss):
    y_true, y_pred = draw_pair(loss, batch=3)
    each = [evaluate(loss, y_true[i : i + 1], y_pred[i : i + 1]) for i in range(3)]
    weights = np.array([0.0, 1.0, 3.0], np.float32)
    got = evaluate(loss, y_true, y_pred, sample_weight=weights)
    np.testing.assert_allclose(got, (0 * each[0] + each[1] + 3 * each[2]) / 3, rtol=1e-5)


@pytest.mark.parametrize("loss", CLASSES, ids=lambda x: x.name)
def test_loss_comes_back_from_its_configuration(loss):
    y_true, y_pred = draw_pair(loss)
    expected = evaluate(loss, y_true, y_pred)
    for copy in (
        type(loss).from_config(loss.get_config()),
        keras.losses.deserialize(keras.losses.serialize(loss)),
    ):
        assert type(copy) is type(loss)
        assert copy.get_config() == loss.get_config()
        np.testing.assert_array_equal(evaluate(copy, y_true, y_pred), expected)


def test_configuration_holds_every_argument():
    focal = FocalBCE(gamma=1.5, alpha=0.75, name="f", reduction="sum").get_config()
    assert focal == {"gamma": 1.5, "alpha": 0.75, "name": "f", "reduction": "sum"}
    assert QualityFocal(beta=1.0).get_config()["beta"] == 1.0


def answer_with(bias, activation, channels=1):
    """Return a network of one pixel-wise weight, answering with its bias alone at first."""
    layer = keras.layers.Conv2D(
        channels,
        1,
        activation=activation,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(bias),
    )
    return keras.Sequential([keras.Input((4, 6, 1)), layer])


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize(
    "bias",
    [
        # The logistic function gives exactly 0, exactly 1, and a half.
        -200.0,
        200.0,
        0.0,
    ],
)
@pytest.mark.parametrize("loss", [WeightedBCE(), FocalBCE(gamma=0.0), QualityFocal()],
                         ids=lambda x: x.name)  # fmt: skip
def test_empty_and_full_maps_have_finite_loss_and_gradient(loss, bias, target):
    model = answer_with(bias, "sigmoid")
    model.compile(keras.optimizers.SGD(1.0), loss, run_eagerly=True)
    pictures = np.ones((2, 4, 6, 1), np.float32)
    value = model.train_on_batch(pictures, np.full((2, 4, 6, 1), target, np.float32))
    assert np.isfinite(value)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize(("target", "direction"), [(0.0, -1), (1.0, 1)])
@pytest.mark.parametrize("loss", [WeightedBCE(), FocalBCE(gamma=0.0), QualityFocal()],
                         ids=lambda x: x.name)  # fmt: skip
def test_gradient_points_to_the_target(loss, target, direction):
    model = answer_with(0.0, "sigmoid")
    model.compile(keras.optimizers.SGD(1.0), loss, run_eagerly=True)
    pictures = np.ones((2, 4, 6, 1), np.float32)
    model.train_on_batch(pictures, np.full((2, 4, 6, 1), target, np.float32))
    assert [np.sign(weight).item() for weight in model.get_weights()] == 2 * [direction]


@pytest.mark.parametrize("bias", [-1e4, 0.0, 1e4])
def test_pixel_cross_entropy_has_finite_loss_and_gradient_at_any_score(bias):
    model = answer_with(bias, None, channels=256)
    model.compile(keras.optimizers.SGD(1.0), PixelCrossEntropy(), run_eagerly=True)
    targets = np.full((2, 4, 6), 255, np.uint8)
    value = model.train_on_batch(np.ones((2, 4, 6, 1), np.float32), targets)
    assert np.isfinite(value)
    kernel, shift = model.get_weights()
    assert np.isfinite(kernel).all()
    assert shift.argmax() == 255


@pytest.mark.parametrize("loss", HEATMAP_LOSSES)
def test_unlabelled_frames_add_nothing_to_a_loss_or_its_gradient(loss):
    truth, predicted = draw_pair(loss)
    truth = truth.astype(np.float32)
    alone = evaluate(loss, truth[..., :1], predicted[..., :1])
    truth[..., 1] = -1
    # The mean is over all pixels, so that a labelled frame counts the same in every window.
    np.testing.assert_allclose(evaluate(loss, truth, predicted), alone / 2, rtol=1e-5)
    other = predicted.copy()
    other[..., 1] = 1 - other[..., 1]
    np.testing.assert_array_equal(evaluate(loss, truth, predicted), evaluate(loss, truth, other))


@pytest.mark.parametrize("loss", HEATMAP_LOSSES)
def test_window_without_labels_has_no_loss(loss):
    truth, predicted = draw_pair(loss)
    assert evaluate(loss, np.full(truth.shape, -1), predicted).tolist() == [0, 0, 0]
