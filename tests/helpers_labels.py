"""One made-up clip of six frames, labelled in every format and layout that is read."""

from __future__ import annotations

import json
from pathlib import Path

from helpers_clips import SIZE, write_images, write_labels, write_video

HEIGHT, WIDTH = SIZE
# Where `draw_frames` draws the dot; frames 2 and 5 are labelled as without a ball.
BALL = {0: (6, 18), 1: (14, 18), 3: (30, 18), 4: (38, 18)}
FRAMES = 6


def shuttlecock(root: Path) -> None:
    write_video(root / "match1" / "video" / "1_01_00.mp4")
    write_labels(root / "match1" / "csv" / "1_01_00_ball.csv", _rows())


def video_and_fractions(root: Path) -> None:
    write_video(root / "a.mp4")
    rows = [(f, s, x / WIDTH, y / HEIGHT) for f, s, x, y in _rows()]
    write_labels(root / "a.csv", rows, header="Frame,Ball,x,y")


def json_lines(root: Path) -> None:
    write_video(root / "a.mp4")
    rows = [{"frame": f, "visible": bool(s), "x": x, "y": y} for f, s, x, y in _rows(None)]
    (root / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")


def mareksubocz(root: Path) -> None:
    write_video(root / "videos" / "a.mp4")
    rows = [(f, x / WIDTH, y / HEIGHT, 0 if s else 3) for f, s, x, y in _rows()]
    write_labels(root / "csvs" / "a.csv", rows, header="frame_num,x,y,visible")


def mareksubocz_images(root: Path) -> None:
    write_images(root / "images" / "a")
    rows = [(f, x / WIDTH, y / HEIGHT, 0 if s else 3) for f, s, x, y in _rows()]
    write_labels(root / "csvs" / "a.csv", rows, header="frame_num,x,y,visible")


def tennis(root: Path) -> None:
    clip = write_images(root / "game1" / "Clip1", name="{:04d}.jpg")
    rows = [(f"{f:04d}.jpg", s, x, y, 0 if s else "") for f, s, x, y in _rows("")]
    header = "file name,visibility,x-coordinate,y-coordinate,status"
    write_labels(clip / "Label.csv", rows, header=header)


def gridtracknet(root: Path) -> None:
    write_images(root / "match1" / "frames")
    write_labels(root / "match1" / "Labels.csv", _rows())


def wasb_soccer(root: Path) -> None:
    write_images(root / "frames" / "ID-1", name="{:05d}.png")
    shapes = [_points(f, x, y, outside=not s, in_game=1) for f, s, x, y in _rows()]
    spare = [_points(0, 60, 30, in_game=0)]  # a ball beside the field
    write_text(root / "annos" / "ID-1.xml", _cvat(shapes, spare))


def wasb_basketball(root: Path) -> None:
    write_images(root / "videos" / "v1" / "7", name="{:06d}.jpg")
    shapes = [_points(f, x, y) for f, (x, y) in BALL.items()]
    meta = f"<meta><task><size>{FRAMES}</size></task></meta>"
    write_text(root / "ball-annos" / "v1" / "game_7.xml", _cvat(shapes, meta=meta))


def wasb_volleyball(root: Path) -> None:
    write_images(root / "videos" / "2" / "29885", name="{}.jpg", first=29865)
    text = "".join(f"{x} {y}\n" for _, _, x, y in _rows())
    write_text(root / "volleyball_ball_annotation" / "2" / "29885.txt", text)


def cvat_video(root: Path) -> None:
    write_video(root / "a.mp4")
    # Single shapes come as tracks of one frame, closed by an outside one in the next.
    tracks = [[_points(f, x, y), _points(f + 1, x, y, outside=True)] for f, (x, y) in BALL.items()]
    meta = f"<meta><job><size>{FRAMES}</size></job></meta>"
    write_text(root / "a.xml", _cvat(*tracks, meta=meta))


def cvat_images(root: Path) -> None:
    write_images(root / "a")
    images = []
    for f, s, x, y in _rows():
        box = f'<box label="ball" occluded="0" xtl="{x - 1.5}" ytl="{y - 1.5}"'
        box += f' xbr="{x + 2.5}" ybr="{y + 2.5}" z_order="0"/>'
        frame = f'<image id="{f}" name="a/{f}.png" width="{WIDTH}" height="{HEIGHT}">'
        images.append(frame + (box if s else "") + "</image>")
    write_text(root / "a.xml", f"<annotations>{''.join(images)}</annotations>")


def label_studio(root: Path) -> None:
    write_video(root / "a.mp4")
    # Frames from 1; the box of frame 0 is followed to frame 1 and then switched off.
    boxes = [
        _box(1, 6, True), _box(2, 14, False), _box(4, 30, True), _box(5, 38, False)
    ]  # fmt: skip
    value = {"framesCount": FRAMES, "sequence": boxes, "labels": ["ball"]}
    result = [{"type": "videorectangle", "value": value}]
    task = {"data": {"video": "/data/upload/1/0a1b2c3d-a.mp4"}, "annotations": [{"result": result}]}
    write_text(root / "project.json", json.dumps([task]))


def coco_boxes(root: Path) -> None:
    images = write_images(root / "train")
    write_text(images / "_annotations.coco.json", json.dumps(_coco(with_boxes=True)))


def coco_keypoints(root: Path) -> None:
    write_images(root / "images" / "a")
    document = _coco(with_boxes=False, folder="a/")
    write_text(root / "annotations" / "instances.json", json.dumps(document))


def yolo(root: Path) -> None:
    images = write_images(root / "images" / "train")
    for f in range(FRAMES):
        x, y = BALL.get(f, (0, 0))
        line = f"0 {(x + 0.5) / WIDTH} {(y + 0.5) / HEIGHT} 0.05 0.1\n" if f in BALL else ""
        write_text(root / "labels" / "train" / f"{f}.txt", line)
    assert images.is_dir()


# Each with the name of the clip it makes and what the layout is called by.
DATASETS = {
    shuttlecock: ("match1/1_01_00", "match folders (Shuttlecock Trajectory)"),
    video_and_fractions: ("a", "as fractions"),
    json_lines: ("a", "pairs of footage and labels: 1"),
    mareksubocz: ("a", "0 for visible (mareksubocz)"),
    mareksubocz_images: ("a", "0 for visible (mareksubocz)"),
    tennis: ("game1/Clip1", "visibility 0 to 3 (TrackNetV1 tennis)"),
    gridtracknet: ("match1", "image runs"),
    wasb_soccer: ("ID-1", "CVAT XML"),
    wasb_basketball: ("v1/7", "CVAT XML"),
    wasb_volleyball: ("2/29885", "one position per line (WASB volleyball)"),
    cvat_video: ("a", "CVAT XML"),
    cvat_images: ("a", "CVAT XML"),
    label_studio: ("a", "Label Studio JSON"),
    coco_boxes: ("train", "COCO JSON"),
    coco_keypoints: ("a", "COCO JSON"),
    yolo: ("train", "YOLO txt"),
}


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _rows(nowhere: object = 0) -> list[tuple]:
    """(frame, seen, x, y) of each frame."""
    return [(f, int(f in BALL), *BALL.get(f, (nowhere, nowhere))) for f in range(FRAMES)]


def _points(
    frame: int, x: float, y: float, *, outside: bool = False, in_game: int | None = None
) -> str:
    attribute = "" if in_game is None else f'<attribute name="used_in_game">{in_game}</attribute>'
    return (
        f'<points frame="{frame}" outside="{int(outside)}" occluded="0" keyframe="1"'
        f' points="{x}.00,{y}.00" z_order="0">{attribute}</points>'
    )


def _cvat(*tracks: list[str], meta: str = "") -> str:
    body = "".join(f'<track id="0" label="ball">{"".join(shapes)}</track>' for shapes in tracks)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{meta}{body}</annotations>'


def _box(frame: int, x: float, enabled: bool) -> dict:
    return {
        "frame": frame,
        "enabled": enabled,
        "x": 100 * (x + 0.5 - 2) / WIDTH,
        "y": 100 * (18 + 0.5 - 2) / HEIGHT,
        "width": 400 / WIDTH,
        "height": 400 / HEIGHT,
    }


def _coco(*, with_boxes: bool, folder: str = "") -> dict:
    images = [
        {"id": 10 + f, "file_name": f"{folder}{f}.png", "width": WIDTH, "height": HEIGHT}
        for f in range(FRAMES)
    ]
    annotations = []
    for f, (x, y) in BALL.items():
        box = [x + 0.5 - 2, y + 0.5 - 2, 4, 4] if with_boxes else [0, 0, 1, 1]
        extra = {} if with_boxes else {"keypoints": [x, y, 2], "num_keypoints": 1}
        annotations.append({"id": f, "image_id": 10 + f, "category_id": 1, "bbox": box, **extra})
    categories = [{"id": 0, "name": "objects"}, {"id": 1, "name": "tennis-ball"}]
    return {"images": images, "annotations": annotations, "categories": categories}
