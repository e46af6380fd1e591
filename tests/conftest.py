import importlib.util
import os

# Keras asks for TensorFlow unless told otherwise; the tests run on whatever is installed.
BACKENDS = ("tensorflow", "jax", "torch")
os.environ.setdefault("KERAS_BACKEND", next(filter(importlib.util.find_spec, BACKENDS)))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
