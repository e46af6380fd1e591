"""Matrix rate: how fast this machine multiplies matrices, measured in OpenVINO.

A network is mostly products of matrices, so this is the speed that it can reach at most.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from keras_tracknet.inference.engines import openvino as engine

# Products of square matrices in a row, each small enough for a core's own cache: larger ones wait
# for memory, and smaller ones for OpenVINO.
SIDE, PRODUCTS = 768, 12


def measure_matrix_rate(precision: str, seconds: float = 0.5) -> float | None:
    """Return the operations per second of matrix products on all cores; None without OpenVINO.

    The fastest of many short runs counts, so that other work on the machine disturbs it little.

    Args:
        precision: what to compute in, a key of the engine's `PRECISIONS`, or `int8`.
        seconds: how long to measure.
    """
    if not engine.is_installed():
        return None
    compiled = engine.get_core().compile_model(
        _build_products(precision),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": engine.PRECISIONS.get(precision, "f32"),
            "PERFORMANCE_HINT": "THROUGHPUT",
        },
    )
    count = compiled.get_property("NUM_STREAMS")
    requests = [compiled.create_infer_request() for _ in range(count)]
    shortest, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < seconds:
        start = time.perf_counter()
        for request in requests:
            request.start_async()
        for request in requests:
            request.wait()
        shortest = min(shortest, time.perf_counter() - start)
    return 2 * SIDE**3 * PRODUCTS * len(requests) / shortest


def _build_products(precision: str) -> Any:
    """Return an OpenVINO model that multiplies its input by one matrix after another."""
    import openvino
    from openvino import opset13 as ops

    rng = np.random.default_rng(0)
    inputs = ops.parameter([SIDE, SIDE], np.uint8, "matrix")
    x = ops.convert(inputs, np.float32)
    for _ in range(PRODUCTS):
        weights = ops.constant(rng.normal(0, SIDE**-0.5, (SIDE, SIDE)).astype(np.float32))
        if precision == engine.INT8:
            x, weights = _quantize(x, 128.0, 256), _quantize(weights, 0.2, 255)
        x = ops.matmul(x, weights, False, True)
    return openvino.Model([ops.reduce_max(x, np.array([1]), False)], [inputs])


def _quantize(x: Any, limit: float, levels: int) -> Any:
    """Return values from `-limit` to `limit` in so many levels, as OpenVINO wants them for int8."""
    from openvino import opset13 as ops

    low, high = np.float32(-limit), np.float32(limit)
    return ops.fake_quantize(x, low, high, low, high, levels)
