"""HDR to SDR: pictures of high dynamic range as a player shows them on an ordinary screen."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

# Luminance, cd/m2: of white paper in HDR video (ITU-R BT.2408), which becomes SDR's white; and the
# brightest that HLG is shown at, where PQ is cut off as well.
WHITE, PEAK = 203.0, 1000.0
KNEE = 0.8  # of SDR's white level: what is brighter is compressed, so that highlights keep shape
GAMMA = 2.2  # of an SDR screen in daylight
# Linear light in the primaries of BT.2020 to those of BT.709 (ITU-R BT.2087).
TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
STRIPE = 32  # rows at a time, so that they stay in the processor's cache
HDR_CURVES = {16: "PQ", 18: "HLG"}  # by FFmpeg's number of the transfer function


def find_curve(transfer: int) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return what converts pictures of an HDR transfer function to SDR, None for any other.

    Args:
        transfer: FFmpeg's number of the transfer function.

    Returns:
        A function of `(height, width, 3)` uint8 RGB in BT.2020 that returns BT.709.
    """
    levels = np.arange(256) / 255
    if HDR_CURVES.get(transfer) == "HLG":
        light = decode_hlg(levels)
    elif HDR_CURVES.get(transfer) == "PQ":
        light = decode_pq(levels)
    else:
        return None
    table = (np.minimum(light, PEAK) / WHITE).astype(np.float32)[None]
    return lambda image: _convert(image, table)


def decode_hlg(levels: np.ndarray) -> np.ndarray:
    """Return the luminance, cd/m2, that HLG levels of 0 to 1 are shown at (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - c) / a) + b) / 12)
    return PEAK * scene**1.2


def decode_pq(levels: np.ndarray) -> np.ndarray:
    """Return the luminance, cd/m2, that PQ levels of 0 to 1 are shown at (SMPTE ST 2084)."""
    root = levels ** (32 / 2523)
    return 10000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
        8192 / 1305
    )


def _tabulate_levels() -> np.ndarray:
    """SDR level for each fourth root of luminance, in 255ths of the peak's."""
    light = (np.arange(256) / 255) ** 4 * PEAK / WHITE
    level = light ** (1 / GAMMA)
    above = np.maximum(level - KNEE, 0) / (1 - KNEE)
    soft = np.minimum(level, KNEE) + (1 - KNEE) * (1 - np.exp(-above))
    return np.rint(255 * soft).astype(np.uint8)


LEVELS = _tabulate_levels()


def _convert(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    converted = np.empty_like(image)
    scale = 255 / (PEAK / WHITE) ** 0.25
    for top in range(0, len(image), STRIPE):
        light = cv2.transform(cv2.LUT(image[top : top + STRIPE], table), TO_BT709)
        np.maximum(light, 0, out=light)
        root = cv2.sqrt(cv2.sqrt(light))
        converted[top : top + STRIPE] = cv2.LUT(cv2.convertScaleAbs(root, alpha=scale), LEVELS)
    return converted
