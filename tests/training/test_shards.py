"""A corpus as shards on disk: the same observations and batches as from memory, in any event."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.features import extraction
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.spec import FeatureSpec
from ser_keras.files import OutputError, write_json
from ser_keras.model.settings import Preset
from ser_keras.training import pipeline
from ser_keras.training import shards as records
from tests.damage import flipped

QUIET: dict[str, Any] = {"cache": False, "progress": False}


@pytest.fixture(scope="module")
def spec(tiny_preset: Preset) -> FeatureSpec:
    return tiny_preset.features


@pytest.fixture(scope="module")
def shards(
    synthetic_corpus: Corpus, spec: FeatureSpec, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """All of the synthetic corpus in four shards; do not change it."""
    folder = tmp_path_factory.mktemp("shards")
    records.write(synthetic_corpus, spec, folder, shard_size=9, **QUIET)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Corpus:
    """Six short recordings that a test may change."""
    folder = tmp_path / "own"
    folder.mkdir()
    for number in range(6):
        noise = np.random.default_rng(number).normal(0, 0.1, 8000)
        soundfile.write(folder / f"{number}.wav", noise, 8000)
    utterances = tuple(
        Utterance(folder / f"{number}.wav", "ab"[number % 2], speaker=str(number))
        for number in range(6)
    )
    return Corpus("own", utterances, ("a", "b"), folder)


def gathered(dataset: tf.data.Dataset) -> list[tuple[np.ndarray, int]]:
    """Single utterances without padding, in the order they come."""
    found = []
    for inputs, labels in dataset:
        for observations, instants, label in zip(
            inputs["observations"].numpy(),
            inputs["instants"].numpy(),
            labels.numpy(),
            strict=True,
        ):
            assert not observations[instants:].any()
            found.append((observations[:instants], int(label)))
    return found


def content(found: list[tuple[np.ndarray, int]]) -> Counter[tuple[bytes, int]]:
    return Counter((observations.tobytes(), label) for observations, label in found)


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_batches_are_those_from_memory(shards: Path, synthetic_corpus: Corpus, spec: FeatureSpec):
    streamed = records.dataset(shards, batch_size=5)
    in_memory = pipeline.dataset(synthetic_corpus, spec, batch_size=5, **QUIET)
    assert streamed.element_spec == in_memory.element_spec
    for ours, theirs in zip(streamed, in_memory, strict=True):
        for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_every_bit_of_every_observation_is_kept(
    shards: Path, synthetic_corpus: Corpus, spec: FeatureSpec
):
    extracted = extraction.extract_corpus(synthetic_corpus, spec, **QUIET)
    for (observations, label), expected, utterance in zip(
        gathered(records.dataset(shards)),
        extracted.observations,
        synthetic_corpus,
        strict=True,
    ):
        assert observations.tobytes() == expected.tobytes()
        assert synthetic_corpus.emotions[label] == utterance.emotion


def test_patches_keep_their_shape(own: Corpus, spec: FeatureSpec, tmp_path: Path):
    patches = dataclasses.replace(spec, kind="log-mel", statistics=())
    records.write(own, patches, tmp_path / "out", **QUIET)
    expected = extraction.extract_corpus(own, patches, **QUIET).observations
    found = gathered(records.dataset(tmp_path / "out"))
    for (observations, _), values in zip(found, expected, strict=True):
        assert observations.shape[1:] == patches.observation_shape
        np.testing.assert_array_equal(observations, values)


def test_a_subset_of_a_split_is_read_alone(
    shards: Path, synthetic_corpus: Corpus, spec: FeatureSpec
):
    train, test = splits.random(synthetic_corpus, 0.25, seed=3)
    for subset in (train, test):
        found = gathered(records.dataset(shards, only=subset))
        expected = gathered(pipeline.dataset(subset, spec, **QUIET))
        assert len(found) == len(subset)
        for (ours, label), (theirs, other) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert label == other


def test_shuffling_loses_and_doubles_nothing(shards: Path, synthetic_corpus: Corpus):
    plain = gathered(records.dataset(shards))
    dataset = records.dataset(shards, batch_size=4, shuffle=True, seed=1, buffer_size=16)
    epochs = [gathered(dataset) for _ in range(2)]
    for epoch in epochs:
        assert content(epoch) == content(plain)
    orders = [[label for _, label in found] for found in (plain, *epochs)]
    assert orders[0] != orders[1] != orders[2]
    assert len(plain) == len(synthetic_corpus)
    assert int(dataset.cardinality()) == sum(1 for _ in dataset)


def test_shuffling_repeats_with_its_seed(shards: Path):
    def order(seed: int) -> list[bytes]:
        dataset = records.dataset(shards, batch_size=4, shuffle=True, seed=seed)
        return [observations.tobytes() for observations, _ in gathered(dataset)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_labels_follow_the_classes_given(shards: Path, synthetic_corpus: Corpus):
    turned = tuple(reversed(synthetic_corpus.emotions))
    labels = [label for _, label in gathered(records.dataset(shards, classes=turned))]
    np.testing.assert_array_equal(labels, synthetic_corpus.labels(turned))
    with pytest.raises(CorpusError, match=r"emotion: expected one of .*, found"):
        records.dataset(shards, classes=turned[1:])
    # Of a subset, only its own emotions matter.
    some = [n for n, one in enumerate(synthetic_corpus) if one.emotion != turned[0]]
    subset = synthetic_corpus.subset(some)
    assert len(gathered(records.dataset(shards, classes=turned[1:], only=subset))) == len(some)


def test_the_index_says_what_is_where(shards: Path, synthetic_corpus: Corpus, spec: FeatureSpec):
    index = json.loads((shards / "index.json").read_text())
    assert {"corpus", "root", "sources", "spec", "emotions", "shards"} <= set(index)
    assert FeatureSpec.from_dict(index["spec"]) == spec
    assert [len(shard["utterances"]) for shard in index["shards"]] == [9, 9, 9, 5]
    rows = [row for shard in index["shards"] for row in shard["utterances"]]
    for row, utterance, (observations, _) in zip(
        rows, synthetic_corpus, gathered(records.dataset(shards)), strict=True
    ):
        assert row["path"] == synthetic_corpus.relative_path(utterance)
        assert (row["emotion"], row["speaker"]) == (utterance.emotion, utterance.speaker)
        assert row["instants"] == len(observations)


def test_called_again_it_keeps_every_shard(
    own: Corpus, spec: FeatureSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out"
    index = records.write(own, spec, out, shard_size=4, **QUIET)
    before = files(out)

    def extract(*_: Any, **__: Any) -> None:
        raise AssertionError("extracted again")

    monkeypatch.setattr(records, "extract_corpus", extract)
    assert records.write(own, spec, out, shard_size=4, **QUIET) == index
    after = files(out)
    del before["index.json"], after["index.json"]
    assert after == before


def test_killed_it_goes_on_with_the_next_shard(
    own: Corpus, spec: FeatureSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Killed(Exception):
        pass

    usual = extraction.extract_corpus
    asked: list[int] = []

    def extract(part: Corpus, *given: Any, **options: Any) -> extraction.Extraction:
        asked.append(len(part))
        if len(asked) == 3:
            raise Killed
        return usual(part, *given, **options)

    monkeypatch.setattr(records, "extract_corpus", extract)
    out = tmp_path / "out"
    with pytest.raises(Killed):
        records.write(own, spec, out, shard_size=2, **QUIET)
    with pytest.raises(CorpusError, match=r"index\.json"):  # half a corpus is not taken for one
        records.dataset(out)
    records.write(own, spec, out, shard_size=2, **QUIET)
    assert asked == [2, 2, 2, 2]
    fresh = tmp_path / "fresh"
    records.write(own, spec, fresh, shard_size=2, **QUIET)
    assert content(gathered(records.dataset(out))) == content(gathered(records.dataset(fresh)))


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _flipped(path: Path) -> None:
    path.write_bytes(flipped(path.read_bytes()))


@pytest.mark.parametrize("damage", [_truncated, _emptied, _flipped, Path.unlink])
@pytest.mark.parametrize("ending", ["tfrecord", "json"])
def test_a_damaged_shard_is_made_again_and_said(
    damage: Callable[[Path], None],
    ending: str,
    own: Corpus,
    spec: FeatureSpec,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    out = tmp_path / "out"
    records.write(own, spec, out, shard_size=2, **QUIET)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    kept = files(out)
    damage(out / f"own-00002-of-00003.{ending}")
    capsys.readouterr()
    records.write(own, spec, out, shard_size=2, **QUIET)
    told = [line for line in capsys.readouterr().err.splitlines() if "expected" in line]
    if (damage, ending) == (Path.unlink, "json"):
        assert not told  # as a kill before the end of the shard leaves it
    else:
        (line,) = told
        assert line.startswith(str(out / "own-00002-of-00003.tfrecord"))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    untouched = "own-00001-of-00003.tfrecord"
    assert files(out)[untouched] == kept[untouched]


def test_a_shard_without_all_of_its_utterances_is_not_read(
    own: Corpus, spec: FeatureSpec, tmp_path: Path
):
    """TFRecord's own checksums do not notice a record that is missing at the end."""
    out = tmp_path / "out"
    records.write(own, spec, out, shard_size=3, **QUIET)
    path = out / "own-00002-of-00002.tfrecord"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(CorpusError, match=rf"{path}: expected \d+ bytes, found \d+"):
        records.dataset(out)
    path.unlink()
    with pytest.raises(CorpusError, match=rf"{path}: expected \d+ bytes, found 0"):
        records.dataset(out)


def test_a_flipped_index_is_not_read(own: Corpus, spec: FeatureSpec, tmp_path: Path):
    records.write(own, spec, tmp_path / "out", shard_size=3, **QUIET)
    path = tmp_path / "out" / "index.json"
    path.write_text(path.read_text().replace('"emotion": "a"', '"emotion": "b"', 1))
    with pytest.raises(CorpusError, match=r"index\.json: expected the index as it was written"):
        records.dataset(tmp_path / "out")


def test_a_changed_recording_is_extracted_again(own: Corpus, spec: FeatureSpec, tmp_path: Path):
    out = tmp_path / "out"
    records.write(own, spec, out, shard_size=2, **QUIET)
    before = files(out)
    changed = own[3].path
    soundfile.write(changed, np.random.default_rng(99).normal(0, 0.1, 8000), 8000)
    os.utime(changed, ns=(0, 12345))
    records.write(own, spec, out, shard_size=2, **QUIET)
    after = files(out)
    renewed = {name for name in after if after[name] != before[name]}
    assert renewed == {
        "own-00002-of-00003.tfrecord",
        "own-00002-of-00003.json",
        "index.json",
    }
    expected = extraction.extract_corpus(own, spec, **QUIET).observations
    for (observations, _), values in zip(gathered(records.dataset(out)), expected, strict=True):
        np.testing.assert_array_equal(observations, values)


def test_a_corrected_label_is_in_the_index(own: Corpus, spec: FeatureSpec, tmp_path: Path):
    out = tmp_path / "out"
    records.write(own, spec, out, shard_size=2, **QUIET)
    other = next(emotion for emotion in own.emotions if emotion != own[3].emotion)
    utterances = list(own)
    utterances[3] = dataclasses.replace(own[3], emotion=other, speaker="somebody else")
    corrected = dataclasses.replace(own, utterances=tuple(utterances))
    index = records.write(corrected, spec, out, shard_size=2, **QUIET)
    row = index["shards"][1]["utterances"][1]
    assert (row["emotion"], row["speaker"]) == (other, "somebody else")
    labels = [int(label) for _, label in gathered(records.dataset(out))]
    assert labels == corrected.labels().tolist()


def test_another_augmentation_is_another_shard(own: Corpus, spec: FeatureSpec, tmp_path: Path):
    out = tmp_path / "out"
    before = records.write(own[:2], spec, out, **QUIET)["shards"][0]["key"]
    varied = Augmentation(copies=1)
    after = records.write(own[:2], spec, out, augmentation=varied, **QUIET)["shards"][0]["key"]
    assert after != before


def test_other_features_of_the_same_shape_are_never_mixed(
    own: Corpus, spec: FeatureSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Killed half-way through the change, the index of before describes nothing any more."""
    out = tmp_path / "out"
    other = dataclasses.replace(spec, top_db=40.0)
    records.write(own, spec, out, shard_size=3, **QUIET)

    class Killed(Exception):
        pass

    usual = write_json

    def killed(path: Path, value: Any) -> None:
        if path.name == "own-00001-of-00002.json":
            raise Killed
        usual(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_json", killed)
        with pytest.raises(Killed):
            records.write(own, other, out, shard_size=3, **QUIET)
    with pytest.raises(CorpusError, match=r"index\.json"):
        records.dataset(out)
    records.write(own, spec, out, shard_size=3, **QUIET)
    expected = extraction.extract_corpus(own, spec, **QUIET).observations
    for (observations, _), values in zip(gathered(records.dataset(out)), expected, strict=True):
        np.testing.assert_array_equal(observations, values)


def test_what_cannot_be_used_is_listed_and_the_rest_is_there(
    own: Corpus, spec: FeatureSpec, tmp_path: Path
):
    own[1].path.write_text("not sound")
    short = dataclasses.replace(own[4], end=0.2)
    corpus = dataclasses.replace(own, utterances=(*own[:4], short, own[5]))
    index = records.write(corpus, spec, tmp_path / "out", shard_size=3, **QUIET)
    left_out = {
        row["path"]: row["reason"] for shard in index["shards"] for row in shard["left_out"]
    }
    assert set(left_out) == {"1.wav", "4.wav"}
    assert left_out["4.wav"] == "shorter than one window"
    found = gathered(records.dataset(tmp_path / "out", batch_size=2))
    assert [label for _, label in found] == [0, 0, 1, 1]
    assert len(gathered(records.dataset(tmp_path / "out", only=corpus.subset([1, 2])))) == 1


def test_a_shard_with_nothing_in_it_stops_nobody(own: Corpus, spec: FeatureSpec, tmp_path: Path):
    own[1].path.write_text("not sound")
    records.write(own, spec, tmp_path / "out", shard_size=1, **QUIET)
    for shuffle in (False, True):
        assert len(gathered(records.dataset(tmp_path / "out", shuffle=shuffle))) == 5


def test_segments_of_one_recording_are_told_apart(own: Corpus, spec: FeatureSpec, tmp_path: Path):
    halves = tuple(
        dataclasses.replace(own[0], start=start, end=end, emotion=emotion)
        for start, end, emotion in ((None, 0.5, "a"), (0.5, None, "b"))
    )
    corpus = dataclasses.replace(own, utterances=halves)
    records.write(corpus, spec, tmp_path / "out", **QUIET)
    for index, label in ((0, 0), (1, 1)):
        found = gathered(records.dataset(tmp_path / "out", only=corpus.subset([index])))
        assert [one for _, one in found] == [label]


def test_shards_of_an_earlier_size_are_removed(own: Corpus, spec: FeatureSpec, tmp_path: Path):
    out = tmp_path / "features"
    records.write(own, spec, out, shard_size=2, **QUIET)
    (out / "other-00001-of-00001.tfrecord").write_bytes(b"of another corpus")
    index = records.write(own, spec, out, shard_size=4, **QUIET)
    named = {shard["file"] for shard in index["shards"]}
    assert {path.name for path in out.glob("own-*.tfrecord")} == named
    assert len(list(out.glob("own-*.json"))) == 2
    assert (out / "other-00001-of-00001.tfrecord").exists()


@pytest.mark.parametrize("size", [0, -3])
def test_an_impossible_shard_size_is_refused(
    size: int, own: Corpus, spec: FeatureSpec, tmp_path: Path
):
    with pytest.raises(ConfigurationError, match="shard_size"):
        records.write(own, spec, tmp_path / "out", shard_size=size, **QUIET)


def test_a_folder_without_shards_is_named(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"index\.json"):
        records.dataset(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(CorpusError, match=r"index\.json"):
        records.dataset(tmp_path)


def test_a_subset_that_is_not_there_is_an_error(shards: Path, own: Corpus):
    with pytest.raises(CorpusError, match="expected utterances of that subset, found none"):
        records.dataset(shards, only=own)


def test_a_full_disk_is_named_and_finished_shards_stay(
    own: Corpus, spec: FeatureSpec, small_disk: Path
):
    patches = dataclasses.replace(spec, statistics=(), frame_hop=16)  # 15 kB an utterance
    (small_disk / "mine").write_text("kept")
    with pytest.raises(OutputError) as error:
        records.write(own, patches, small_disk, shard_size=1, **QUIET)
    assert str(small_disk) in str(error.value)
    assert "No space left" in str(error.value)
    left = [path.name for path in small_disk.glob("*.tfrecord")]
    assert left
    assert (small_disk / "mine").read_text() == "kept"
    assert not [path for path in small_disk.iterdir() if path.name.startswith(".")]
