import json

import pytest
from helpers_clips import write_match, write_pair

from keras_tracknet.datasets.dataset import find_dataset
from keras_tracknet.datasets.splits import (
    Split,
    read_split,
    split_clips,
    split_dataset,
    write_split,
)
from keras_tracknet.errors import InputError


@pytest.fixture
def dataset(tmp_path):
    for match in ("match1", "match2", "match3"):
        write_match(tmp_path / "data" / match, ["1_01_00", "1_02_00"])
    write_match(tmp_path / "data" / "test" / "match1", ["1_01_00"])
    return find_dataset(tmp_path / "data")


def test_split_comes_back_from_its_file(tmp_path, dataset):
    split = split_dataset(dataset)
    write_split(split, tmp_path / "new" / "split.json")
    assert read_split(tmp_path / "new" / "split.json") == split
    assert split.test == ("test/match1/1_01_00",)
    names = [*split.train, *split.validation, *split.test]
    assert sorted(names) == [clip.name for clip in dataset.clips]


def test_split_by_match_holds_out_whole_matches_however_large(tmp_path, dataset):
    for seed in range(5):
        split = split_dataset(dataset, by="match", seed=seed)
        matches = [{n.rpartition("/")[0] for n in part} for part in (split.train, split.validation)]
        assert not matches[0] & matches[1]
        assert len(split.validation) == 2


def test_split_by_clip_holds_out_clips_of_any_match(dataset):
    splits = [split_dataset(dataset, by="clip", share=0.4, seed=seed) for seed in range(5)]
    assert {len(split.validation) for split in splits} == {2}
    matches = [{name.rpartition("/")[0] for name in split.validation} for split in splits]
    assert max(map(len, matches)) == 2


def test_split_by_match_needs_two(tmp_path):
    write_pair(tmp_path, "a")
    write_pair(tmp_path, "b")
    with pytest.raises(InputError, match="all clips belong to one match"):
        split_dataset(find_dataset(tmp_path), by="match")


def test_clips_that_train_are_those_that_are_named(dataset):
    train, validation = split_clips(dataset, ["match1"], train=["match2", "match1/1_01_00"])
    assert [clip.name for clip in validation] == ["match1/1_01_00", "match1/1_02_00"]
    assert [clip.name for clip in train] == ["match2/1_01_00", "match2/1_02_00"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "frame"}, "`by` must be one of match, clip"),
        ({"share": 1.0}, "`share` must be above 0"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(dataset, settings, message):
    with pytest.raises(ValueError, match=message):
        split_dataset(dataset, **settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a split"),
        ("[]", "not a split"),
        ('{"data": "d", "train": ["a"]}', "train and validation must list clips"),
        ('{"train": ["a"], "validation": ["b"]}', "not a split"),
        ('{"data": "d", "train": ["a", "b"], "validation": ["b"]}', "b appears twice"),
    ],
)
def test_file_that_is_no_split_names_itself(tmp_path, text, message):
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_split(path)
    assert str(path) in str(caught.value)


def test_single_clip_is_in_both_parts(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"data": "d", "train": ["a"], "validation": ["a"]}))
    assert read_split(path) == Split("d", ("a",), ("a",))
