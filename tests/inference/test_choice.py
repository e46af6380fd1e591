import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.inference import choice
from keras_tracknet.inference.choice import Trial, choose_weights, find_flying, list_candidates
from keras_tracknet.inference.looks import describe_look, recognise_look
from keras_tracknet.presets import DEFAULT, DEMO, find_preset, list_presets, name_sport
from keras_tracknet.synthetic import RallyConfig, simulate_rally, write_rally

FRAMES = np.arange(12)
LOB = np.stack([0.3 + 0.02 * FRAMES, 0.5 - 0.03 * FRAMES + 0.002 * FRAMES**2], axis=1)


@pytest.mark.parametrize(
    ("positions", "share"),
    [
        (LOB, 1.0),
        (np.repeat([[0.4, 0.5]], 12, axis=0), 0.0),  # lies still
        (np.random.default_rng(0).uniform(0, 1, (12, 2)), 0.0),  # jumps about
        (np.full((12, 2), np.nan), 0.0),
        (np.concatenate([LOB[:4], np.full((8, 2), np.nan)]), 0.0),  # too short
        (np.concatenate([LOB[:6], np.full((6, 2), np.nan)]), 0.5),
        (LOB[:2], 0.0),
    ],
)
def test_frames_in_flight_are_found(positions, share):
    assert find_flying(positions).mean() == share


def test_a_sport_has_its_best_weights():
    assert choose_weights("nowhere.mp4", "badminton").weights == "badminton-v3"
    assert choose_weights("nowhere.mp4", "tennis").weights == "tennis-v3"
    assert choose_weights("nowhere.mp4", "volleyball").weights == "multisport-v2"
    assert find_preset("curling").name == "multisport-v2"
    with pytest.raises(InputError, match="curling: unknown sport"):
        choose_weights("nowhere.mp4", "curling")


def test_every_sport_has_one_candidate():
    names = [preset.name for preset in list_candidates()]
    assert {"badminton-v3", "tennis-v3", "multisport-v2", DEMO} <= set(names)
    assert "badminton-v3-tiny" not in names


def test_bundled_weights_name_their_sport():
    presets = list_presets()
    assert name_sport(presets["tennis-v3"].sha256["tennis-v3.keras"]) == "tennis"
    assert name_sport(presets[DEMO].sha256[f"{DEMO}.keras"]) == "badminton"
    assert name_sport(presets["multisport-v2"].sha256["multisport-v2.keras"]) == ""
    assert name_sport("0" * 64) is None
    assert name_sport(None) is None


def choose(monkeypatch, trials):
    monkeypatch.setattr(choice, "_read_runs", lambda _video: [np.zeros((24, 2, 2, 3))] * 3)
    monkeypatch.setattr(choice, "_try_all", lambda _runs: trials)
    return choose_weights("match.mp4")


def test_the_weights_with_most_flight_win(monkeypatch):
    trials = {
        "badminton-v3": Trial(0.3, 0.7, 0.74, -0.2),
        "tennis-v3": Trial(0.7, 0.66, 0.66, 0.5),
        "multisport-v2": Trial(0.72, 0.66, 0.69, 0.0),
    }
    chosen = choose(monkeypatch, trials)
    assert (chosen.weights, chosen.sport) == ("tennis-v3", "tennis")
    assert chosen.reason == (
        "looks like tennis, and a ball flies in 70% of the 72 frames looked at;"
        " next multisport-v2: 72%"
    )
    assert set(chosen.scores) == set(trials)


def test_where_nothing_flies_the_default_is_taken(monkeypatch):
    chosen = choose(monkeypatch, {"tennis-v3": Trial(0.01, 0.6, 0.66, 0.9)})
    assert chosen.weights == DEFAULT
    assert chosen.reason.startswith("nothing flies in the 72 frames looked at")


def test_the_look_does_not_depend_on_brightness():
    picture = next(
        iter(simulate_rally(RallyConfig(frames=1, noise=0.0, compression=None)).frames())
    )
    darker = (picture * 0.6).astype(np.uint8)
    look, other = describe_look(picture), describe_look(darker)
    assert look.shape == (1152,)
    assert np.abs(look - other).mean() < 0.05


def test_a_rendered_hall_looks_rendered():
    hits = 0
    for seed in range(1_000_000, 1_000_006):
        config = RallyConfig(frames=1, size=(288, 512), seed=seed)
        looks = recognise_look(next(iter(simulate_rally(config).frames())))
        hits += max(looks, key=looks.get) == "rendered"
    assert set(looks) == {"badminton", "tennis", "padel", "rendered"}
    assert hits == 6


def test_the_demos_rally_gets_the_demos_weights(tmp_path):
    video = write_rally(RallyConfig(seed=1_000_000, frames=40), tmp_path)
    assert choose_weights(video).weights == DEMO
