"""Training on shards: what a training from memory learns, in memory that does not grow."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ser_keras import corpora
from ser_keras.commands import main as cli
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.extraction import extract_subsets
from ser_keras.model.settings import Preset
from ser_keras.training import pipeline, shards, stored
from ser_keras.training.run import TrainingRun
from ser_keras.training.shard_index import Records, ShardIndex
from ser_keras.training.train import train
from tests.damage import flipped

VARIED = Augmentation(copies=2, mixup=0.2)


@pytest.fixture(scope="module")
def varied_preset(tiny_preset: Preset) -> Preset:
    """Varied copies, a balanced epoch, averaged weights: all that reads a corpus in another way."""
    optimization = dataclasses.replace(
        tiny_preset.optimization, balance="emotion", weight_average=0.9
    )
    return dataclasses.replace(tiny_preset, augmentation=VARIED, optimization=optimization)


@pytest.fixture(scope="module")
def broken_manifest(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic corpus, of which one recording is no sound and one is too short."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(manifest.parent, folder, dirs_exist_ok=True)
    first, second, *_ = corpora.load("manifest", folder / manifest.name)
    first.path.write_text("no sound")
    samples, rate = soundfile.read(second.path)
    soundfile.write(second.path, samples[: rate // 3], rate)
    return folder / manifest.name


@pytest.fixture(scope="module")
def broken(broken_manifest: Path) -> Corpus:
    """The same, loaded."""
    return corpora.load("manifest", broken_manifest)


@pytest.fixture(scope="module")
def folder(broken: Corpus, varied_preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its shards, with copies; do not change them."""
    out = tmp_path_factory.mktemp("shards")
    shards.write(broken, varied_preset.features, out, 9, VARIED, cache=False, progress=False)
    return out


def assert_same_weights(one: keras.Model, other: keras.Model) -> None:
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("split", ["speaker", "predefined"])
def test_weights_are_those_of_a_training_from_memory(
    split: str, broken_manifest: Path, folder: Path, varied_preset: Preset, tmp_path: Path
):
    common: dict[str, Any] = {"preset": varied_preset, "split": split, "seed": 3}
    if split == "speaker":  # of two speakers none can be held out
        common |= {"folds": 2, "validation_fraction": 0.0}
    from_sound = TrainingRun("manifest", str(broken_manifest), **common)
    from_shards = TrainingRun("manifest", features=str(folder), **common)
    one, other = train(from_sound, tmp_path / "one"), train(from_shards, tmp_path / "other")
    assert_same_weights(one, other)
    assert one.familiarity == other.familiarity
    for name in ("split.csv", "history.csv"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "other" / name).read_text()


def test_extractions_are_equal_but_for_where_they_are(
    broken: Corpus, folder: Path, varied_preset: Preset, capsys: pytest.CaptureFixture[str]
):
    subsets = {"train": broken[5:25], "validation": broken[:5]}
    options = {"cache": False, "progress": False}
    expected = extract_subsets(subsets, varied_preset.features, VARIED, **options)
    said = capsys.readouterr().err
    found = stored.extract_subsets(folder, subsets, varied_preset.features, VARIED)
    told = capsys.readouterr().err
    assert [line for line in said.splitlines() if "skipped" in line] == told.splitlines()
    for name, ours in found.items():
        theirs = expected[name]
        for field in ("corpus", "skipped_short", "failed"):
            assert getattr(ours, field) == getattr(theirs, field)
        np.testing.assert_array_equal(ours.indexes, theirs.indexes)
        np.testing.assert_array_equal(ours.lengths, theirs.lengths)
        np.testing.assert_allclose(ours.durations, theirs.durations)
        for one, other in zip(ours.observations, theirs.observations, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_command_trains_on_shards_and_evaluates_without_sound(
    synthetic_corpus: Corpus,
    tiny_settings: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    results = "ser_keras.evaluation.results"
    monkeypatch.setattr(f"{results}.plots.evaluation_figures", lambda *_: {})
    monkeypatch.setattr(f"{results}.report.evaluation_report", lambda *_: "")
    sound = tmp_path / "sound"
    assert synthetic_corpus.root is not None
    shutil.copytree(synthetic_corpus.root, sound)
    # Of 256 recordings, one copy each; an epoch draws 24 of those in training.
    chosen = tiny_settings | {"copies": 3, "versions": 600, "epoch_draws": 24}
    settings = [word for pair in chosen.items() for word in ("--set", "{}={}".format(*pair))]
    corpus = ["--corpus", "synthetic", "--data", str(sound)]
    out, run = str(tmp_path / "shards"), str(tmp_path / "run")
    rest = [*settings, "--split", "speaker", "--validation-fraction", "0"]
    assert cli.main(["features", *corpus, *settings, "--out", out]) == 0
    assert cli.main(["train", *corpus, *rest, "--out", str(tmp_path / "from-sound")]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(f"{results}.draw", lambda *_: None)
        assert cli.main(["evaluate", str(tmp_path / "from-sound")]) == 0
    shutil.rmtree(sound)
    assert cli.main(["train", "--features", out, *rest, "--out", run]) == 0
    assert "train: an epoch draws 24 of 384 recordings and copies" in capsys.readouterr().err
    assert cli.main(["evaluate", run]) == 0
    assert "its attention is not drawn" in capsys.readouterr().err
    numbers, expected = (
        json.loads((tmp_path / name / "evaluation.json").read_text())
        for name in ("run", "from-sound")
    )
    assert numbers == expected
    shutil.move(out, tmp_path / "moved")
    assert cli.main(["evaluate", run]) == 1
    assert f"{out}/index.json: expected an index of features" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--corpus, --features: expected one of them, found 'neither'"),
        (["--features", "A", "--corpus", "tess"], "--corpus: expected none beside --features"),
        (["--features", "A", "--data", "B"], "--data: expected none beside --features"),
        (["--features", "A", "--teacher", "tiny"], "--teacher: expected none beside --features"),
        (
            ["--features", "nowhere"],
            "nowhere/index.json: expected an index of features",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["train", *words, "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_other_features_copies_and_utterances_are_refused(
    broken: Corpus, folder: Path, varied_preset: Preset
):
    subsets, spec = {"train": broken[:9]}, varied_preset.features
    other = dataclasses.replace(spec, hop=0.25)
    with pytest.raises(ConfigurationError, match=r"found others \(hop 0\.5 instead of 0\.25\)"):
        stored.extract_subsets(folder, subsets, other)
    more = dataclasses.replace(VARIED, copies=3)
    with pytest.raises(ConfigurationError, match=r"expected 3 varied copies .* found 2; "):
        stored.extract_subsets(folder, subsets, spec, more)
    named = dataclasses.replace(VARIED, copies=0, copies_of=(f"{broken.name}:3",))
    with pytest.raises(ConfigurationError, match=r"expected 3 varied copies .* found 2; "):
        stored.extract_subsets(folder, subsets, spec, named)
    louder = dataclasses.replace(VARIED, gain=(0.0, 6.0))
    with pytest.raises(ConfigurationError, match=r"found others \(gain .* instead of"):
        stored.extract_subsets(folder, subsets, spec, louder)
    stored.extract_subsets(folder, subsets, spec, dataclasses.replace(louder, copies=0))
    with pytest.raises(CorpusError, match=r"expected features of .*\.wav, found those of others"):
        stored.extract_subsets(folder, {"train": dataclasses.replace(broken, root=None)}, spec)
    with pytest.raises(ConfigurationError, match=r"corpus: expected tess, found 'manifest'"):
        TrainingRun("tess", features=str(folder)).load_corpus()


def test_shards_have_the_copies_of_each_corpus(
    broken: Corpus, folder: Path, varied_preset: Preset, tmp_path: Path
):
    spec, subsets = varied_preset.features, {"train": broken[:9]}
    named = dataclasses.replace(VARIED, copies=0, copies_of=(f"{broken.name}:1",))
    shards.write(broken, spec, tmp_path, 4, named, cache=False, progress=False)
    once = dataclasses.replace(VARIED, copies=1)
    found = [
        stored.extract_subsets(where, subsets, spec, wanted)["train"]
        for where, wanted in ((tmp_path, named), (tmp_path, once), (folder, named), (folder, once))
    ]
    assert len(found[0].indexes) > len(broken[:9])
    for other in found[1:]:
        np.testing.assert_array_equal(other.indexes, found[0].indexes)
        for one, same in zip(other.observations, found[0].observations, strict=True):
            np.testing.assert_array_equal(one, same)


def test_a_damaged_record_ends_the_training_by_its_name(
    folder: Path, varied_preset: Preset, tmp_path: Path
):
    copy = tmp_path / "shards"
    shutil.copytree(folder, copy)
    for path in copy.glob("*.tfrecord"):  # of one alone, the record may be in the test subset
        path.write_bytes(flipped(path.read_bytes()))
    run = TrainingRun("manifest", features=str(copy), preset=varied_preset, validation_fraction=0)
    expected = rf"^{copy}/manifest-0000\d-of-00004\.tfrecord: expected the record as it was written"
    with pytest.raises(CorpusError, match=expected):
        train(run, tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


def test_features_of_an_earlier_version_are_not_read(folder: Path, tmp_path: Path):
    copy = tmp_path / "shards"
    shutil.copytree(folder, copy)
    path = copy / "index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps(index | {"algorithm": 1}))
    with pytest.raises(CorpusError, match="expected features of this version, found"):
        stored.load_corpus(copy)


def test_joined_corpora_are_split_as_from_sound(
    synthetic_corpus: Corpus, manifest: Path, tiny_preset: Preset, tmp_path: Path
):
    other = corpora.load("synthetic", tmp_path / "other", speakers=2, takes=1, seed=1)
    joined = corpora.join([synthetic_corpus, other])
    out = tmp_path / "shards"
    shards.write(joined, tiny_preset.features, out, cache=False, progress=False)
    assert stored.load_corpus(out) == joined


def test_memory_does_not_grow_with_the_shards(
    folder: Path, varied_preset: Preset, memory: Callable[[], int], tmp_path: Path
):
    """A thousand times the records, of which a pass keeps none."""
    index = ShardIndex.read(folder)
    observations = stored.StoredObservations(index, list(range(len(index.records.copy))) * 1000)
    total = int(observations.lengths.sum()) * 13 * 4
    first = next(iter(observations))
    before = memory()
    for each in observations:
        assert each.shape[1:] == first.shape[1:]
    assert memory() - before < total / 4


def test_memory_does_not_grow_with_the_number_of_shards(
    folder: Path, memory: Callable[[], int], tmp_path: Path
):
    """What is kept of each shard would be as large as its records."""
    count, instants = 24, 80_000
    values = np.random.default_rng(0).normal(size=(instants, 13)).astype("<f4").tobytes()
    files = tuple(tmp_path / f"{number}.tfrecord" for number in range(count))
    for file in files:
        with tf.io.TFRecordWriter(str(file)) as writer:
            writer.write(values)
    each = np.ones(count, int)
    index = dataclasses.replace(
        ShardIndex.read(folder),
        files=files,
        firsts=np.arange(count),
        records=Records(0 * each, 0 * each, instants * each, 1.0 * each, 12 * each,
                        zlib.crc32(values) * each),
    )  # fmt: skip
    observations = stored.StoredObservations(index, np.arange(count))
    assert observations[0].tobytes() == values
    before = memory()
    assert sum(len(observations[number]) for number in range(count)) == count * instants
    assert memory() - before < count * len(values) / 4


def test_batches_of_any_order_are_those_from_memory(
    broken: Corpus, folder: Path, varied_preset: Preset
):
    subsets, spec = {"train": broken}, varied_preset.features
    ours = stored.extract_subsets(folder, subsets, spec)["train"]
    theirs = extract_subsets(subsets, spec, cache=False, progress=False)["train"]
    for shuffle in (False, True):
        pair = [pipeline.batches(each, 8, shuffle, seed=5) for each in (ours, theirs)]
        for _ in range(2):
            for (one, labels), (other, same) in zip(*pair, strict=True):
                np.testing.assert_array_equal(labels, same)
                np.testing.assert_array_equal(one["observations"], other["observations"])
