import importlib.util
import json
from contextlib import suppress

import keras
import numpy as np
import pytest
from helpers_clips import write_labels, write_match, write_pair, write_video
from helpers_labels import tennis
from helpers_reporters import Notebook
from helpers_runs import CLIP_FRAMES, DOTS, SIZE, Interrupter, configure, read_history, read_weights

from keras_tracknet.errors import InputError
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.models import v2
from keras_tracknet.progress import Reporter
from keras_tracknet.synthetic import clips as rendered
from keras_tracknet.tracks.candidate_files import write_candidates
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.track import Track
from keras_tracknet.training import data as fit_data
from keras_tracknet.training import loop as training
from keras_tracknet.training.config import FitConfig
from keras_tracknet.training.config_file import change_config, load_config
from keras_tracknet.training.data import _find_clips, load_fit_data
from keras_tracknet.training.loop import fit, plan_fit, run_plan
from keras_tracknet.training.run_folder import Recorder
from keras_tracknet.training.run_state import RunState, read_state
from keras_tracknet.weights.model_file import is_trained, load_model

WHOLE_UNET = v2.unet  # as it is before `short_networks`
NAN, INF = float("nan"), float("inf")


# --- what a run leaves behind


@pytest.mark.parametrize(
    ("version", "settings", "spec"),
    [
        ("v1", {}, ("v1", 3, 1, "none", SIZE)),
        ("v2", {}, ("v2", 3, 3, "none", SIZE)),
        ("v2", {"heatmaps": 1}, ("v2", 3, 1, "none", SIZE)),
        ("v3", {"target": "gaussian", "mixup": 0.5}, ("v3", 4, 4, "concat", SIZE)),
        ("v4", {"frames": 4, "fusion": "b"}, ("v4", 4, 4, "concat", SIZE)),
        ("v5", {}, ("v5", 3, 3, "none", (32, 48))),
        ("wasb", {"heatmaps": 1}, ("wasb", 3, 1, "none", SIZE)),
        ("rectifier", {}, ("rectifier", 8, 0, "none", (0, 0))),
    ],
    ids=["v1", "v2", "v2 3-in-1", "v3", "v4", "v5", "wasb", "rectifier"],
)
def test_run_folder_holds_config_models_history_and_curves(
    clips, tmp_path, version, settings, spec
):
    config = configure(clips, tmp_path / "run", version, **settings)
    (row,) = fit(config)
    assert row["epoch"] == 1
    assert {"loss", "val_loss", "learning_rate", "seconds"} <= row.keys()
    run = tmp_path / "run"
    files = {path.name for path in run.iterdir()}
    expected = {"config.json", "best.keras", "last.keras", "history.csv"}
    if importlib.util.find_spec("matplotlib"):
        expected.add("curves.png")
    if all(map(importlib.util.find_spec, ("tensorflow", "tensorboard"))):
        expected.add("tensorboard")
    assert files == expected
    assert load_config(run) == config
    for name in ("best.keras", "last.keras"):
        saved = load_model(run / name)
        kept = saved.spec
        assert (
            kept.version,
            kept.frames,
            kept.heatmaps,
            kept.background,
            kept.input_size,
        ) == spec
        assert kept.notes["fit"]["version"] == version
        assert saved.training["history"] == [row]
        assert is_trained(saved.model)
    header, *rows = (run / "history.csv").read_text().splitlines()
    assert header.split(",") == list(row)
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("score", "values", "best"),
    [
        ("val_accuracy", [0.5, 0.9, 0.7], 2),
        ("val_accuracy", [0.9, 0.5, 0.7], 1),
        ("val_accuracy", [0.0, 0.7, 0.7], 3),  # of equals the one that has learned longest
        ("val_loss", [0.3, 0.1, 0.2], 2),  # the rectifier has no accuracy
        ("val_accuracy", [0.5, NAN, 0.7, 0.6], 3),  # what is no number is better than nothing
        ("val_accuracy", [NAN, 0.5, 0.4], 2),
        ("val_accuracy", [0.5, 0.4, NAN], 1),
        ("val_loss", [0.3, NAN, 0.2], 3),
        ("val_loss", [0.3, -INF, 0.2], 3),
        ("val_loss", [INF, 0.3, 0.4], 2),
    ],
)
@pytest.mark.parametrize("stop", [None, 2], ids=["at one go", "resumed"])
def test_best_model_is_of_the_best_epoch(clips, tmp_path, score, values, best, stop):
    plan = plan_fit(configure(clips, tmp_path))
    plan.model.optimizer.build(plan.model.trainable_variables)
    reporter = Notebook()
    recorder = Recorder(tmp_path, plan.config.spec, len(values), 1, RunState(), reporter)
    for epoch, value in enumerate(values):
        if epoch == stop:  # go on from what was saved
            state = read_state(load_model(tmp_path / "last.keras", compile=True))
            recorder = Recorder(tmp_path, plan.config.spec, len(values), 1, state, reporter)
        recorder.set_model(plan.model)
        recorder.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.5, score: value})
    assert len(load_model(tmp_path / "best.keras").training["history"]) == best
    history = load_model(tmp_path / "last.keras").training["history"]
    assert [row[score] for row in history] == pytest.approx(values, nan_ok=True)
    said = [note.partition(":")[0] for note in reporter.notes if "(best so far)" in note]
    assert said[-1] == f"epoch {best}/{len(values)}"


def test_epoch_without_a_loss_is_not_the_best(clips, tmp_path):
    """A blind network is right where there is no ball, whatever its weights."""
    plan = plan_fit(configure(clips, tmp_path))
    recorder = Recorder(tmp_path, plan.config.spec, 2, 1, RunState(), Reporter())
    recorder.set_model(plan.model)
    recorder.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.5, "val_accuracy": 0.3})
    recorder.on_epoch_end(1, {"loss": NAN, "val_loss": NAN, "val_accuracy": 0.4})
    assert len(load_model(tmp_path / "best.keras").training["history"]) == 1


def blind_model(plan):
    """Make the weights of a network NaN, as one step too large does."""
    for variable in plan.model.trainable_variables:
        variable.assign(np.full(variable.shape, NAN))


def test_run_that_is_lost_says_so_and_keeps_the_last_good_state(clips, tmp_path):
    config = configure(clips, tmp_path, epochs=3)
    with suppress(KeyboardInterrupt):
        fit(config, reporter=Interrupter(note="epoch 1/3"))
    before = (tmp_path / "last.keras").read_bytes()
    plan = plan_fit(config, resume=True)
    blind_model(plan)
    with pytest.raises(InputError) as caught:
        run_plan(plan, Reporter())
    assert str(caught.value) == (
        f"{tmp_path}: weights are NaN or infinite since epoch 2; start a new run with a lower"
        f' `learning_rate`, from `init="{tmp_path}/best.keras"`.'
    )
    assert (tmp_path / "last.keras").read_bytes() == before
    assert all(np.isfinite(array).all() for array in read_weights(tmp_path / "best.keras"))


def test_epoch_of_nothing_but_nan_is_written_down_before_the_run_stops(clips, tmp_path):
    plan = plan_fit(configure(clips, tmp_path))
    blind_model(plan)
    recorder = Recorder(tmp_path, plan.config.spec, 2, 1, RunState(), Reporter())
    recorder.set_model(plan.model)
    with pytest.raises(InputError, match=r"infinite since epoch 1.*`learning_rate`\."):
        recorder.on_epoch_end(0, {"loss": NAN, "val_loss": NAN, "val_accuracy": 0.3})
    assert {path.name for path in tmp_path.glob("*.keras")} == set()
    (row,) = read_history(tmp_path)
    assert np.isnan(row["loss"])


def test_cosine_schedule_ends_near_zero(uninterrupted):
    _, history = uninterrupted
    rates = [row["learning_rate"] for row in history]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-2 * 1e-2
    assert rates[0] > 1e-3


def test_constant_schedule_stays(clips, tmp_path):
    plan = plan_fit(configure(clips, tmp_path, schedule="constant", learning_rate=0.25))
    assert float(plan.model.optimizer.learning_rate) == 0.25


def test_network_learns_to_find_a_dot(clips, tmp_path):
    """The whole chain with a whole network: decode, label, augment, train, validate, save."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(v2, "unet", WHOLE_UNET)
        settings = {"width": 0.2, "batch_size": 2, "brightness": 0.0, "contrast": 0.0}
        settings["learning_rate"] = 1e-2
        config = configure(clips, tmp_path / "run", epochs=10, seed=2, **settings)
        history = fit(config)
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    assert max(row["val_f1"] for row in history) > 0.9
    track = Tracker(tmp_path / "run" / "best.keras").track(clips / "c.mp4")
    errors = np.hypot(*(track.positions - DOTS).T)
    assert np.median(errors) < 2


# --- what a run starts from


def test_init_takes_the_weights_of_another_run(clips, tmp_path, uninterrupted):
    folder, _ = uninterrupted
    plan = plan_fit(configure(clips, tmp_path, init=str(folder / "best.keras")))
    for array, twin in zip(
        plan.model.get_weights(), read_weights(folder / "best.keras"), strict=True
    ):
        np.testing.assert_array_equal(array, twin)
    assert (plan.state.steps, plan.state.history) == (0, ())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 4}, r"layers do not match; use the `version`.*v2, 3 frames"),
        ({"version": "rectifier"}, "layers do not match"),
    ],
)
def test_init_refuses_weights_that_do_not_fit(clips, tmp_path, uninterrupted, settings, message):
    folder, _ = uninterrupted
    config = configure(clips, tmp_path, init=str(folder / "best.keras"), **settings)
    with pytest.raises(InputError, match=message):
        plan_fit(config)


def test_init_refuses_a_missing_file(clips, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.keras: no such weights"):
        plan_fit(configure(clips, tmp_path, init="nowhere.keras"))


def test_seed_decides_weights_and_batches(clips, tmp_path):
    one, same, other = (plan_fit(configure(clips, tmp_path, seed=seed)) for seed in (1, 1, 2))
    kernels = [plan.model.get_layer("encoder1_conv1").get_weights()[0] for plan in (one, same)]
    np.testing.assert_array_equal(*kernels)
    np.testing.assert_array_equal(
        one.data.training.batch(2, 1)[0], same.data.training.batch(2, 1)[0]
    )
    kernel = other.model.get_layer("encoder1_conv1").get_weights()[0]
    assert np.abs(kernel - kernels[0]).max() > 1e-3
    assert (
        np.abs(other.data.training.batch(2, 1)[0] - one.data.training.batch(2, 1)[0]).max() > 1e-3
    )


def test_tracks_are_what_the_rectifier_sees(clips, tmp_path):
    shifted = Track.from_positions([x + 5 for x, _ in DOTS], [9] * CLIP_FRAMES, [1] * CLIP_FRAMES)
    for name in "abc":
        write_track(shifted, tmp_path / f"{name}.csv")
    plan = plan_fit(configure(clips, tmp_path / "run", "rectifier", tracks=str(tmp_path)))
    (coordinates, mask), targets = plan.data.validation.batch(0, 0)
    seen = mask[0, :, 0] == 0
    np.testing.assert_allclose(coordinates[0, seen, 1], 9 / 36, atol=1e-6)
    np.testing.assert_allclose(targets[0, :, 1], 18 / 36, atol=1e-6)
    np.testing.assert_allclose((coordinates - targets[..., :2])[0, seen, 0], 5 / 64, atol=1e-6)


def test_missing_track_is_an_input_error(clips, tmp_path):
    with pytest.raises(InputError, match=r"a\.csv: no such file"):
        plan_fit(configure(clips, tmp_path / "run", "rectifier", tracks=str(tmp_path)))


@pytest.fixture
def peaks(tmp_path):
    """A folder of candidates: in each frame something brighter, and the ball."""
    for name in "abc":
        frames = [(np.array([(2, 2), dot]), np.array([0.7, 0.4])) for dot in DOTS]
        write_candidates(frames, tmp_path / "peaks" / f"{name}.csv")
    return tmp_path / "peaks"


def test_linker_learns_which_candidate_is_the_ball(clips, peaks, tmp_path):
    config = configure(
        clips, tmp_path / "run", "linker",
        tracks=str(peaks), width=1.0, epochs=10, learning_rate=0.01,
    )  # fmt: skip
    *_, row = fit(config)
    assert row["val_accuracy"] == 1
    saved = load_model(tmp_path / "run" / "best.keras")
    assert (saved.spec.version, saved.spec.frames) == ("linker", 8)


def test_linker_is_not_trained_without_candidates(clips, tmp_path):
    with pytest.raises(InputError, match=r"trained on candidates; write them with .*--candidates"):
        plan_fit(configure(clips, tmp_path / "run", "linker", tracks=None))
    with pytest.raises(InputError, match=r"a\.csv: no candidates can be read; write them with"):
        plan_fit(configure(clips, tmp_path / "run", "linker", tracks=str(tmp_path)))


def test_crops_train_a_network_that_takes_whole_frames(clips, tmp_path):
    config = configure(clips, tmp_path, crop=(16, 24))
    fit(config)
    saved = load_model(tmp_path / "best.keras")
    assert saved.model.input_shape == (None, None, None, 9)
    assert saved.spec.input_size == SIZE
    assert plan_fit(config).data.training.batch(0, 0)[0].shape[1:3] == (16, 24)
    track = Tracker(saved, precision="float32").track(clips / "c.mp4")
    assert len(track) == CLIP_FRAMES


def test_without_data_rallies_are_rendered_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit_data, "RENDERED_RALLIES", 2)
    monkeypatch.setattr(fit_data, "RENDERED_SIZE", (72, 128))
    config = FitConfig(
        version="v2", output=str(tmp_path / "run"), input_size=SIZE, precision="float32"
    )
    plan = plan_fit(config)
    assert [len(clips) for clips in plan.data.clips] == [1, 1]
    assert config.spec.trained_on == "rendered rallies"
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    videos = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.mp4")}
    assert len(videos) == 2
    assert plan_fit(config).data.clips == plan.data.clips
    assert {path: path.stat().st_mtime_ns for path in videos} == videos


@pytest.mark.parametrize("change", ["renderer", "count", "size"])
def test_rallies_of_another_renderer_do_not_train_along(tmp_path, monkeypatch, change):
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit_data, "RENDERED_RALLIES", 3)
    monkeypatch.setattr(fit_data, "RENDERED_SIZE", (72, 128))
    config = FitConfig(version="rectifier", output=str(tmp_path / "run"))
    before = _find_clips(config, Reporter())
    if change == "renderer":
        monkeypatch.setattr(rendered, "RENDERER", rendered.RENDERER + 1)
    if change == "count":
        monkeypatch.setattr(fit_data, "RENDERED_RALLIES", 2)
    if change == "size":
        monkeypatch.setattr(fit_data, "RENDERED_SIZE", (64, 96))
    train, validation = _find_clips(config, Reporter())
    assert len(train) + len(validation) == (2 if change == "count" else 3)
    used = {clip.source for clips in (train, validation) for clip in clips}
    assert used.isdisjoint(clip.source for clips in before for clip in clips)


def test_clip_half_written_by_a_killed_process_does_not_train(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit_data, "RENDERED_RALLIES", 2)
    monkeypatch.setattr(fit_data, "RENDERED_SIZE", (72, 128))
    config = FitConfig(version="rectifier", output=str(tmp_path / "run"))
    before = _find_clips(config, Reporter())
    sources = sorted(clip.source for clips in before for clip in clips)
    whole = sources[0].read_bytes()
    # Killed between video and track, and, another one, while it encoded.
    sources[0].write_bytes(b"of another run")
    sources[0].with_suffix(".csv").unlink()
    work = sources[0].parent / ".rendering-abc"
    work.mkdir()
    (work / "rally-000000-half.mp4").write_bytes(whole[:100])
    (work / "rally-000000-half.csv").write_text("Frame,Visibility,X,Y\n0,1,5,5\n")
    again = _find_clips(config, Reporter())
    assert sorted(clip.source for clips in again for clip in clips) == sources
    assert sources[0].read_bytes() == whole


# --- what a run says


def test_plan_describes_itself_and_writes_nothing(clips, tmp_path):
    plan = plan_fit(configure(clips, tmp_path / "run", epochs=7))
    lines = plan.describe()
    assert lines[0].startswith("network: v2, 3 frames of 32x64, ")
    assert lines[0].endswith(f"float32 on {keras.backend.backend()}")
    assert lines[1:] == [
        "training: 2 clips, 20 windows per epoch in 5 batches of 4",
        "validation: 1 clips (c), 4 windows",
        "epochs: 7, 0 done",
    ]
    assert not (tmp_path / "run").exists()


def test_blind_network_is_warned_of_once(clips, tmp_path):
    reporter = Notebook()
    history = fit(configure(clips, tmp_path, epochs=4, learning_rate=1e-9), reporter=reporter)
    assert [row["val_f1"] for row in history] == [0, 0, 0, 0]
    (warning,) = reporter.warnings
    assert "after 3 epochs the model finds no ball" in warning


def test_single_clip_is_noted(tmp_path):
    write_pair(tmp_path, "only")
    write_labels(tmp_path / "only.csv", [(f, 1, *dot) for f, dot in enumerate(DOTS[:6])])
    reporter = Notebook()
    plan = plan_fit(configure(tmp_path, tmp_path / "run", validation=()), reporter=reporter)
    assert plan.data.clips == (("only",), ("only",))
    assert any("used for both training and validation" in note for note in reporter.notes)


def test_split_keeps_matches_apart(tmp_path):
    for number in range(4):
        write_match(tmp_path / f"match{number}", ["1_01_00"])
    labels = [(f, 1, *dot) for f, dot in enumerate(DOTS[:6])]
    for path in tmp_path.rglob("*_ball.csv"):
        write_labels(path, labels)
    plan = plan_fit(configure(tmp_path, tmp_path / "run", validation=("match2",)))
    assert plan.data.clips[1] == ("match2/1_01_00",)
    assert len(plan.data.clips[0]) == 3


def test_clips_that_train_can_be_named(tmp_path):
    for number in range(4):
        write_match(tmp_path / f"match{number}", ["1_01_00"])
    labels = [(f, 1, *dot) for f, dot in enumerate(DOTS[:6])]
    for path in tmp_path.rglob("*_ball.csv"):
        write_labels(path, labels)
    named = {"training": ("match0", "match3"), "validation": ("match2",)}
    plan = plan_fit(configure(tmp_path, tmp_path / "run", **named))
    assert plan.data.clips == (("match0/1_01_00", "match3/1_01_00"), ("match2/1_01_00",))


@pytest.mark.parametrize(("visible", "count"), [("easy", 3), ("hidden", 4)])
def test_run_takes_the_balls_that_count_as_visible(tmp_path, visible, count):
    tennis(tmp_path)
    labels = tmp_path / "game1" / "Clip1" / "Label.csv"
    labels.write_text(labels.read_text().replace("0000.jpg,1", "0000.jpg,3"))
    config = configure(tmp_path, tmp_path / "run", validation=(), visible=visible)
    (clip,), _ = _find_clips(config, Reporter())
    assert clip.table.visibility.sum() == count


# --- what cannot be trained


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"version": "v9"},
            "`version` must be one of v1, v2, v3, v4, v5, wasb, rectifier.*version='v9'",
        ),
        ({"schedule": "steps"}, "`schedule` must be one of .*schedule='steps'"),
        ({"background": "sky"}, "`background` must be one of .*background='sky'"),
        ({"target": "square"}, "`target` must be one of disc, gaussian.*target='square'"),
        ({"epochs": 0}, "`epochs` must be at least 1.*epochs=0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"frames": 0}, "`frames` must be at least 1"),
        ({"windows": 0}, "`windows` must be at least 1"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0"),
        ({"width": -1.0}, "`width` must be above 0"),
        ({"mixup": -0.5}, "`mixup` must be at least 0"),
        ({"frame_mixup": -0.5}, "`frame_mixup` must be at least 0"),
        ({"input_size": (30, 64)}, r"multiples of 8.*\(30, 64\)"),
        ({"crop": (30, 30)}, "`crop` must be .* in multiples of 8"),
        ({"flip": 1.5}, "`flip` must be 0 to 1"),
        ({"version": "v4", "base": "v1"}, "`base` must be one of v2, v3"),
        ({"version": "v4", "fusion": "c"}, "`fusion` must be one of a, b"),
        ({"version": "v4", "base": "v3", "background": "subtract"}, "must show the frames to v4"),
        ({"version": "v4", "frames": 1}, "`frames` must be at least 2"),
        ({"version": "v5", "input_size": (24, 64)}, "in multiples of 16"),
        ({"version": "v3", "pan": 3.0}, "`pan` requires a model without a background"),
        ({"version": "v3", "stabilize": True}, "`stabilize` requires a model without a background"),
        ({"version": "v2", "heatmaps": 4}, "`heatmaps` must be 1 to 3 for v2 with 3 frames"),
    ],
)
def test_impossible_configuration_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FitConfig(**settings)


def test_config_survives_json():
    config = FitConfig(crop=(64, 64), zoom=(0.8, 1.2), validation=["a", "b"], input_size=[32, 64])
    assert config.validation == ("a", "b")
    kept = json.loads(json.dumps(training.asdict(config)))
    assert FitConfig(**kept) == config


def write_unlabelled(folder):
    write_video(folder / "clip.mp4")


def write_too_few_labels(folder):
    for name in "ab":
        write_pair(folder, name)
        write_labels(folder / f"{name}.csv", [(0, 1, 6, 18), (4, 1, 6, 18)])


def write_late_labels(folder):
    for name in "ab":
        write_pair(folder, name)
        write_labels(folder / f"{name}.csv", [(60, 1, 6, 18)])


@pytest.mark.parametrize(
    ("write", "version", "message"),
    [
        (lambda folder: None, "v2", "no labelled clips found; run tracknet data check"),
        (write_unlabelled, "v2", "no labelled clips found; clip: skipped: no labels found"),
        (write_late_labels, "v2", "no window has a labelled frame"),
        (write_too_few_labels, "rectifier", "no window of 8 frames has three visible"),
    ],
)
def test_data_without_a_window_is_an_input_error(tmp_path, write, version, message):
    write(tmp_path)
    with pytest.raises(InputError, match=message):
        plan_fit(configure(tmp_path, tmp_path / "run", version, validation=()))
    assert not (tmp_path / "run").exists()


def test_few_labels_are_enough_and_their_warnings_are_said(tmp_path):
    write_too_few_labels(tmp_path)
    write_labels(tmp_path / "a.csv", [(0, 1, 6, 18), (4, 1, 6, 18), (99, 1, 6, 18)])
    reporter = Notebook()
    data = load_fit_data(configure(tmp_path, tmp_path / "run", validation=("b",)), reporter)
    assert reporter.warnings == ["a: 1 label after the last frame (5) is ignored"]
    assert (data.training.windows, data.validation.windows) == (3, 2)


def test_output_that_cannot_be_written_is_an_input_error(clips, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/run: cannot be written .*choose another path"):
        fit(configure(clips, tmp_path / "file" / "run"))


def test_patience_stops_the_run_and_stays_stopped(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "count_stale", lambda history, _measure: max(0, len(history) - 1))
    config = configure(clips, tmp_path / "run", epochs=9, patience=1, windows=4)
    told = Notebook()
    assert len(fit(config, reporter=told)) == 2
    assert "stopped: no better epoch in the last 1" in told.notes
    assert len(fit(config, resume=True)) == 2
    longer = change_config(load_config(tmp_path / "run"), {"patience": 2})
    assert len(fit(longer, resume=True)) == 3


def test_callbacks_see_one_training_and_can_stop_it(clips, tmp_path):
    seen = []

    class Spy(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(("begin", self.params["epochs"]))

        def on_train_end(self, logs=None):
            seen.append("end")

        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, "val_loss" in logs))
            self.model.stop_training = epoch == 1

    fit(configure(clips, tmp_path / "run", epochs=9, windows=4), callbacks=[Spy()])
    assert seen == [("begin", 9), (0, True), (1, True), "end"]
