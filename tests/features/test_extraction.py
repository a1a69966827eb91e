"""Extraction of a corpus, whatever single files, the cache or a worker process do."""

from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import soundfile

from ser_keras.corpora.utterance import Corpus, Source, Utterance
from ser_keras.errors import AudioError, ConfigurationError, CorpusError
from ser_keras.features import cache as feature_cache
from ser_keras.features import extraction, reference, workers
from ser_keras.features.augmentation import Augmentation
from ser_keras.features.copies import limit_copies, numbered_copies
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.features.segments import Extracted, Segment, extract_segment
from ser_keras.features.spec import FeatureSpec
from ser_keras.training import pipeline, stored
from tests.processes import descendants, runs

LOKY = "joblib.externals.loky.backend.popen_loky_posix"  # what a worker process runs

SPEC = FeatureSpec(sample_rate=8000, window=0.5, hop=0.25, fft_size=512, mel_bands=64)


def corpus_of(*paths: Path) -> Corpus:
    return Corpus("own", tuple(Utterance(path, "happy") for path in paths), ("happy",))


def extract(corpus: Corpus, **options: Any) -> Extraction:
    return extract_corpus(corpus, SPEC, progress=False, **options)


def same(one: Extraction, other: Extraction) -> bool:
    return all(
        np.array_equal(a, b) for a, b in zip(one.observations, other.observations, strict=True)
    )


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    """Four recordings of noise, 1.0 to 1.6 seconds."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    paths = [folder / f"{number}.wav" for number in range(4)]
    for number, path in enumerate(paths):
        samples = np.random.default_rng(number).normal(size=8000 + 1600 * number) * 0.1
        soundfile.write(path, samples, 8000, subtype="FLOAT")
    return paths


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def test_each_recording_has_the_observations_that_librosa_gives(recordings: list[Path]):
    extracted = extract(corpus_of(*recordings))
    for path, observations in zip(recordings, extracted.observations, strict=True):
        samples, _ = soundfile.read(path, dtype="float32")
        np.testing.assert_allclose(observations, reference.extract(samples, SPEC), rtol=1e-6)
    np.testing.assert_allclose(extracted.durations, [1.0, 1.2, 1.4, 1.6])


def test_segments_of_one_recording_are_separate_utterances(recordings: list[Path]):
    whole = recordings[3]
    segments = (
        Utterance(whole, "happy", start=0.0, end=0.6),
        Utterance(whole, "happy", start=0.6, end=1.6),
    )
    extracted = extract(Corpus("own", segments, ("happy",)))
    np.testing.assert_allclose(extracted.durations, [0.6, 1.0])
    samples, _ = soundfile.read(whole, dtype="float32")
    expected = reference.extract(samples[4800:], SPEC)
    np.testing.assert_allclose(extracted.observations[1], expected, rtol=1e-6)


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """A call, one speaker on each side."""
    sides = np.random.default_rng(0).normal(0, 0.1, (8000, 2))
    soundfile.write(tmp_path / "call.wav", sides, 8000, subtype="FLOAT")
    return tmp_path / "call.wav"


def test_channels_of_one_recording_are_separate_utterances(call: Path, tmp_path: Path):
    channels = tuple(Utterance(call, "happy", channel=channel) for channel in (0, 1, None, 2))
    corpus = Corpus("own", channels, ("happy",))
    for _ in range(2):  # the second time from the cache
        extracted = extract(corpus, cache=tmp_path / "cache")
        sides, _ = soundfile.read(call, dtype="float32")
        for observations, samples in zip(
            extracted.observations, [*sides.T, sides.mean(axis=1)], strict=True
        ):
            expected = reference.extract(np.ascontiguousarray(samples), SPEC)
            np.testing.assert_allclose(observations, expected, rtol=1e-4)
        assert [reason for _, reason in extracted.failed] == ["channel: expected 0 to 1, found 2"]


@pytest.mark.parametrize("processes", [False, True])
def test_files_that_fail_alike_are_one_line_and_a_count(
    recordings: list[Path],
    call: Path,
    tmp_path: Path,
    processes: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(extraction, "WORTH_PROCESSES", 2 if processes else 99)
    pointers = [tmp_path / f"{number}.wav" for number in range(40)]
    for number, pointer in enumerate(pointers):
        pointer.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{number}\n")
    empty = tmp_path / "empty.wav"
    empty.touch()
    corpus = corpus_of(*recordings, *pointers, empty, call)
    extract(corpus, cache=False, workers=2, name="test subset")
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    example = f"such as {pointers[0]}: expected sound, found a Git LFS pointer"
    assert told[0].startswith(f"test subset: skipped 40 recordings, {example}")
    assert told[1] == f"test subset: skipped {empty}: expected sound, found an empty file"
    assert told[2].startswith(f"test subset: warning: {call}: the channels differ")


def test_a_broken_file_costs_only_itself(recordings: list[Path], tmp_path: Path):
    text, missing, short = (tmp_path / name for name in ("text.wav", "none.wav", "short.wav"))
    text.write_text("not sound")
    soundfile.write(short, np.zeros(800), 8000)
    corpus = corpus_of(recordings[0], text, recordings[1], missing, short, recordings[2])
    extracted = extract(corpus)
    assert [u.path for u in extracted.corpus] == recordings[:3]
    assert [u.path for u in extracted.skipped_short] == [short]
    assert [u.path for u, _ in extracted.failed] == [text, missing]
    assert "expected sound, found none" in extracted.failed[0][1]
    assert "No such file" in extracted.failed[1][1]


def test_processes_give_what_one_process_gives(
    recordings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(extraction, "WORTH_PROCESSES", 2)
    text = tmp_path / "text.wav"
    text.write_text("not sound")
    corpus = corpus_of(*recordings, text)
    alone = extract(corpus, workers=1, cache=False)
    together = extract(corpus, workers=2, cache=False)
    assert same(alone, together)
    assert together.corpus == alone.corpus
    assert together.failed == alone.failed


def test_scripts_without_a_guarded_main_part_may_use_processes(
    recordings: list[Path], tmp_path: Path
):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from ser_keras import extraction\n"
        "from ser_keras.corpora.utterance import Corpus, Utterance\n"
        "from ser_keras.features import FeatureSpec\n"
        "extraction.WORTH_PROCESSES = 2\n"
        "utterances = tuple(Utterance(Path(path), 'happy') for path in sys.argv[1:])\n"
        "corpus = Corpus('own', utterances, ('happy',))\n"
        "extracted = extraction.extract_corpus(corpus, FeatureSpec(window=0.5), workers=2)\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print(len(extracted.corpus))\n"
    )
    root = str(Path(extraction.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, str(script), *map(str, recordings)],
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "4\n", done.stderr


class Deadly:
    """Ends the process that receives it, as a crash in a decoder would."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


@pytest.mark.parametrize("together", [1, 8])
def test_a_recording_that_crashes_or_hangs_its_process_costs_only_itself(
    together: int, recordings: list[Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(workers, "PATIENCE", 3.0)
    pipe = recordings[0].parent / "pipe.wav"
    os.mkfifo(pipe)  # nobody writes into it: opening it never ends
    deadly: Any = Deadly()
    monkeypatch.setattr(workers, "MOST_TOGETHER", together)
    segments = [Segment(path) for path in (recordings[0], pipe, *recordings, *recordings * 3)]
    segments[3:3] = [Segment(deadly)]
    outcomes = dict(workers.extract_in_processes(segments, SPEC, workers=2))
    failures = {i: str(found) for i, found in outcomes.items() if isinstance(found, AudioError)}
    assert failures.keys() == {1, 3}
    assert "pipe.wav: the process that read it hung" in failures[1]
    assert "the process that read it crashed" in failures[3]
    expected = extract_segment(Segment(recordings[3]), SPEC)
    last = outcomes[len(segments) - 1]
    assert isinstance(expected, Extracted)
    assert isinstance(last, Extracted)
    np.testing.assert_array_equal(last.observations, expected.observations)


@pytest.mark.parametrize("python", ["/nowhere/python", None])
def test_processes_that_cannot_be_started_are_an_error(
    python: str | None, recordings: list[Path], monkeypatch: pytest.MonkeyPatch
):
    """And not waited for."""
    monkeypatch.setattr(sys, "executable", python)
    segments = [Segment(path) for path in recordings]
    with pytest.raises((RuntimeError, TypeError)):
        list(workers.extract_in_processes(segments, SPEC, workers=2))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_extraction_that_is_given_up_leaves_no_process(recordings: list[Path]):
    pipe = recordings[0].parent / "pipe.wav"
    os.mkfifo(pipe)
    segments = [Segment(recordings[0]), Segment(pipe), Segment(pipe)]
    outcomes = workers.extract_in_processes(segments, SPEC, workers=2)
    assert next(outcomes)[0] == 0
    assert descendants(os.getpid(), LOKY)
    outcomes.close()  # type: ignore[attr-defined]
    assert not descendants(os.getpid(), LOKY)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_process_that_is_killed_leaves_no_workers(recordings: list[Path], tmp_path: Path):
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from ser_keras.features import FeatureSpec, workers\n"
        "from ser_keras.features.segments import Segment\n"
        "segments = [Segment(Path(path)) for path in sys.argv[1:]]\n"
        "for index, _ in workers.extract_in_processes(segments, FeatureSpec(), workers=2):\n"
        "    print(index, flush=True)\n"
    )
    words = [sys.executable, str(script), str(recordings[0]), str(pipe), str(pipe)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        left = descendants(process.pid, LOKY)
        process.kill()
    assert left
    deadline = time.monotonic() + 60
    while left and time.monotonic() < deadline:
        time.sleep(0.2)
        left = {worker for worker in left if runs(worker)}
    assert not left


def test_a_second_extraction_decodes_nothing(
    recordings: list[Path], monkeypatch: pytest.MonkeyPatch
):
    first = extract(corpus_of(*recordings))
    monkeypatch.setattr(extraction, "extract_segment", lambda *_: pytest.fail("was decoded again"))
    second = extract(corpus_of(*recordings))
    assert same(first, second)
    np.testing.assert_array_equal(first.durations, second.durations)


def test_an_interrupted_extraction_continues_where_it_stopped(
    recordings: list[Path], monkeypatch: pytest.MonkeyPatch
):
    decoded: list[Path] = []

    def interrupted_once(segment: Segment, *settings: Any) -> Extracted | AudioError:
        if len(decoded) == 2:
            decoded.append(Path("interrupted"))
            raise KeyboardInterrupt
        decoded.append(segment.path)
        return extract_segment(segment, *settings)

    monkeypatch.setattr(extraction, "extract_segment", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        extract(corpus_of(*recordings))
    assert len(extract(corpus_of(*recordings)).corpus) == 4
    assert decoded == [*recordings[:2], Path("interrupted"), *recordings[2:]]


def test_the_cache_follows_content_and_specification(recordings: list[Path], tmp_path: Path):
    cache = tmp_path / "cache"
    extract(corpus_of(recordings[0]), cache=cache)
    assert len(entries(cache)) == 1
    moved = recordings[0].rename(tmp_path / "moved.wav")
    extract(corpus_of(moved), cache=cache)
    assert len(entries(cache)) == 1, "a recording under another name is the same recording"
    extract_corpus(corpus_of(moved), FeatureSpec(window=0.5), cache=cache, progress=False)
    assert len(entries(cache)) == 2, "another specification gives other observations"
    soundfile.write(moved, np.zeros(8000), 8000)
    changed = extract(corpus_of(moved), cache=cache)
    assert len(entries(cache)) == 3
    assert np.ptp(changed.observations[0], axis=0).max() == 0


def test_the_cache_forgets_what_an_older_algorithm_gave(
    recordings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    extract(corpus_of(recordings[0]), cache=tmp_path)
    monkeypatch.setattr(feature_cache, "ALGORITHM", feature_cache.ALGORITHM + 1)
    extract(corpus_of(recordings[0]), cache=tmp_path)
    assert len(entries(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "one byte"])
def test_a_damaged_entry_is_computed_again(
    recordings: list[Path], tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
):
    first = extract(corpus_of(recordings[0]), cache=tmp_path)
    (entry,) = entries(tmp_path)
    content = bytearray(entry.read_bytes())
    content[len(content) // 3] ^= 0xFF
    entry.write_bytes(
        {
            "truncated": bytes(content[: len(content) // 2]),
            "empty": b"",
            "text": b"no archive",
            "one byte": bytes(content),
        }[damage]
    )
    capsys.readouterr()
    assert same(first, extract(corpus_of(recordings[0]), cache=tmp_path))
    assert f"{entry}: expected features as they were written" in capsys.readouterr().err
    assert feature_cache.FeatureCache(tmp_path, {}).read(entry.stem, (40,)) is not None


def test_without_a_cache_nothing_is_left_on_disk(recordings: list[Path], cache_directory: Path):
    extract(corpus_of(recordings[0]), cache=False)
    assert entries(cache_directory) == []
    extract(corpus_of(recordings[0]))
    assert len(entries(cache_directory)) == 1


def test_an_unwritable_cache_is_one_warning(recordings: list[Path], tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    with pytest.warns(RuntimeWarning, match="not cached") as caught:
        extracted = extract(corpus_of(*recordings), cache=blocked / "cache")
    assert len(caught) == 1
    assert len(extracted.corpus) == 4


def test_a_full_disk_is_one_warning_and_leaves_no_half_entry(
    recordings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(file: IO[bytes], **_: Any):
        file.write(b"half an entry")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(RuntimeWarning, match="No space left") as caught:
        extracted = extract(corpus_of(*recordings), cache=tmp_path / "cache")
    assert len(caught) == 1
    assert len(extracted.corpus) == 4
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_an_empty_corpus_is_an_empty_extraction():
    extracted = extract(corpus_of())
    assert len(extracted.corpus) == 0
    assert not extracted.observations


@pytest.mark.parametrize("options", [{"decoder": "ffmpeg"}, {"workers": 0}])
def test_a_wrong_option_is_named(options: dict):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        extract(corpus_of(), **options)


def test_progress_goes_to_standard_error(
    recordings: list[Path], capsys: pytest.CaptureFixture[str]
):
    with warnings.catch_warnings():
        extract_corpus(corpus_of(*recordings), SPEC, cache=False)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "4/4" in shown.err


def test_a_small_corpus_can_have_more_copies(recordings: list[Path]):
    utterances = tuple(
        Utterance(path, "happy", corpus="small" if n == 0 else "large")
        for n, path in enumerate(recordings)
    )
    sources = Source("small", None), Source("large", None)
    joined = Corpus("own", utterances, ("happy",), sources=sources)
    augmentation = Augmentation(copies=1, copies_of=("small:3",))
    extracted = extract(joined, cache=False, augmentation=augmentation)
    assert Counter(each.corpus for each in extracted.corpus) == {"small": 4, "large": 2 * 3}
    # Each is the copy that the recording has where all have as many.
    alike = dataclasses.replace(augmentation, copies=3, copies_of=())
    other = extract(joined, cache=False, augmentation=alike)
    by_index = dict(zip(other.indexes.tolist(), other.observations, strict=True))
    for index, found in zip(extracted.indexes.tolist(), extracted.observations, strict=True):
        np.testing.assert_array_equal(found, by_index[index])


def test_speech_without_labels_can_have_copies_of_its_own(recordings: list[Path]):
    [labeled, *_] = corpus = corpus_of(*recordings)
    speech = Utterance(recordings[1], emotion="", corpus="unlabeled")
    both = dataclasses.replace(corpus, utterances=(labeled, speech))
    numbered = numbered_copies(both, Augmentation(copies=2, copies_of=("unlabeled:1",)))
    assert numbered == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    # A part of them may have none.
    assert numbered_copies(corpus[:1], Augmentation(copies_of=("unlabeled:1",))) == [(0, 0)]


def test_a_large_corpus_has_fewer_copies(recordings: list[Path]):
    """Of 12 versions, one recording has 3 copies more, and six have one more each."""
    large = tuple(Utterance(recordings[n % 3], "happy", corpus="large") for n in range(6))
    small = Utterance(recordings[3], "happy", corpus="small")
    joined = Corpus("own", (small, *large), ("happy",), sources=())
    augmentation = Augmentation(copies=3, versions=12)

    numbered = numbered_copies(joined, augmentation)

    assert Counter(position for _, position in numbered) == {0: 4} | dict.fromkeys(range(1, 7), 2)
    # A part of the corpus, such as a training subset, as the whole.
    limited = limit_copies(augmentation, joined[:3], joined[3:])
    assert limited == Augmentation(copies=3, copies_of=("large:1",))
    assert len(numbered_copies(joined[1:3], limited)) == 2 * 2
    # Who names a corpus means it, and as they are, recordings are all there.
    named = Augmentation(copies=3, copies_of=("large:9",), versions=12)
    assert limit_copies(named, joined).copies_in("large") == 9
    # One copy is left, unless none was wanted.
    for copies, left in ((3, 1), (1, 1), (0, 0)):
        few = Augmentation(copies=copies, versions=1)
        assert limit_copies(few, joined).copies_in("large") == left
    assert Augmentation(copies=3).of_a_copy() == augmentation.of_a_copy()
    with pytest.raises(ConfigurationError, match="versions: expected at least 1, or none, found 0"):
        Augmentation(versions=0)


@pytest.mark.parametrize("wrong", ["small", "small:", ":3", "small:-1", "small:x"])
def test_copies_of_a_corpus_are_a_name_and_a_number(wrong: str):
    with pytest.raises(ConfigurationError, match="copies_of: expected a corpus and its copies"):
        Augmentation(copies_of=(wrong,))


def test_copies_of_a_corpus_that_is_not_there_are_refused(recordings: list[Path]):
    with pytest.raises(ConfigurationError, match="copies_of: expected one of the corpora own"):
        extract(corpus_of(*recordings), augmentation=Augmentation(copies_of=("ravdess:3",)))


def test_what_memory_does_not_hold_is_read_from_the_cache(
    recordings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    corpus, cache = corpus_of(*recordings), tmp_path / "cache"
    whole = extract(corpus, cache=cache)
    monkeypatch.setattr(feature_cache, "HELD", 2 * whole.observations[0].nbytes)
    for again in (extract(corpus, cache=cache), extract(corpus, cache=tmp_path / "other")):
        assert same(whole, again)
        assert again.lengths.tolist() == [len(each) for each in whole.observations]
        kept = [again.observations[n] is again.observations[n] for n in range(len(recordings))]
        assert kept == [True, True, False, False]
    # Without a cache there is nowhere else for them to be.
    assert same(whole, extract(corpus, cache=False))
    again = extract(corpus, cache=cache)
    for path in entries(cache):
        path.write_bytes(b"no features")
    with pytest.raises(CorpusError, match=r"\.npz: expected features as they were written"):
        again.observations[3]


def test_a_training_is_the_same_whether_memory_holds_its_features(
    recordings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    corpus, cache = corpus_of(*recordings), tmp_path / "cache"
    held = pipeline.batches(extract(corpus, cache=cache), 2, shuffle=True, seed=3)
    monkeypatch.setattr(feature_cache, "HELD", 0)
    read = pipeline.batches(extract(corpus, cache=cache), 2, shuffle=True, seed=3)
    for (inputs, labels), (others, other_labels) in zip(held, read, strict=True):
        np.testing.assert_array_equal(inputs["observations"], others["observations"])
        np.testing.assert_array_equal(labels, other_labels)
    for path in entries(cache):
        path.unlink()
    expected = pytest.raises(CorpusError, match="called again, it extracts them anew")
    with expected, stored.errors_of_reading():
        list(read)
