"""Track a video with an exported file and LiteRT alone, without Keras and TensorFlow.

    tracknet export --format tflite
    python examples/run_tflite.py runs/export/badminton-v3.tflite match.mp4

Prints one row per frame: its number, x and y in pixels of the video, and the confidence. Needs
NumPy, OpenCV, PyAV and ai-edge-litert, but not this package.
"""

import argparse
import sys
from collections.abc import Iterator

import av
import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

BACKGROUND_FRAMES = 50


def read_frames(video: str) -> Iterator[np.ndarray]:
    """Yield the frames of a video, RGB."""
    with av.open(video) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def main(file: str, video: str) -> None:
    """Compute the background, then track window by window."""
    interpreter = Interpreter(file)
    interpreter.allocate_tensors()
    inputs = sorted(interpreter.get_input_details(), key=lambda place: -len(place["shape"]))
    output = interpreter.get_output_details()[0]["index"]
    _, length, height, width, _ = inputs[0]["shape"]

    sizes, pictures = [], []
    for frame in read_frames(video):
        sizes.append(frame.shape)
        pictures.append(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
    step = -(-len(pictures) // BACKGROUND_FRAMES)
    background = np.median(pictures[::step], axis=0).astype(np.uint8)

    print("Frame,X,Y,Confidence")
    for start in range(0, len(pictures), length):
        window = pictures[start : start + length]
        count = len(window)
        window += [window[-1]] * (length - count)  # the last window repeats its last frame
        interpreter.set_tensor(inputs[0]["index"], np.stack(window)[None])
        if len(inputs) > 1:
            interpreter.set_tensor(inputs[1]["index"], background[None])
        interpreter.invoke()
        positions = interpreter.get_tensor(output)[0]
        for number, (x, y, confidence) in enumerate(positions[:count], start):
            rows, columns, _ = sizes[number]
            # From fractions of the picture to pixels; pixel centres are whole numbers.
            place = f"{x * columns - 0.5:.1f},{y * rows - 0.5:.1f}" if x or y else ","
            print(f"{number},{place},{confidence:.3f}")
    assert not {"keras", "tensorflow", "keras_tracknet"} & set(sys.modules)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help=".tflite file from tracknet export")
    parser.add_argument("video")
    main(**vars(parser.parse_args()))
