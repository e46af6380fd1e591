import numpy as np

from keras_tracknet.inference.engines.enlargement import enlarge_at_once
from keras_tracknet.models.v3 import build_v3


def test_network_of_any_size_enlarges_at_once_at_the_size_that_is_asked_for():
    model = build_v3(frames=2, background="none", input_size=(None, None), width_multiplier=0.0625)
    changed = enlarge_at_once(model, (32, 64))
    assert changed.input_shape == (None, 32, 64, 6)
    windows = np.random.default_rng(0).random((1, 32, 64, 6), np.float32)
    expected, found = (np.asarray(m(windows)) for m in (model, changed))
    np.testing.assert_allclose(found, expected, atol=1e-6)
