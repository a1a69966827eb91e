"""Splits: exact stratification, no leak, and nothing but the utterances and the seed decides."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ser_keras.corpora import Corpus, Utterance, splits
from ser_keras.errors import ConfigurationError, CorpusError

ROOT = Path("/corpus")
RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def made_up(name: str = "made-up", speakers: int = 7, each: int = 5) -> Corpus:
    """A corpus whose every third speaker is a man, in two emotions."""
    return Corpus.ordered(
        name,
        [
            Utterance(
                ROOT / f"{speaker:02d}" / f"{emotion}{take}.wav",
                emotion,
                speaker=f"{speaker:02d}",
                session=str(speaker % 5),
                sex="male" if speaker % 3 == 0 else "female",
            )
            for speaker in range(1, speakers + 1)
            for emotion in ("happy", "sad")
            for take in range(each)
        ],
        ("happy", "sad"),
        ROOT,
    )


def ravdess(actors: int = 24) -> Corpus:
    """The release's 60 utterances by each actor: neutral 4, the others 8."""
    return Corpus.ordered(
        "ravdess",
        [
            Utterance(
                ROOT / f"Actor_{actor:02d}" / f"{emotion}{take}.wav",
                emotion,
                speaker=f"{actor:02d}",
                sex="male" if actor % 2 else "female",
            )
            for actor in range(1, actors + 1)
            for emotion in RAVDESS
            for take in range(4 if emotion == "neutral" else 8)
        ],
        RAVDESS,
        ROOT,
    )


def with_counts(**counts: int) -> Corpus:
    utterances = [
        Utterance(ROOT / f"{emotion}{number}.wav", emotion)
        for emotion, count in counts.items()
        for number in range(count)
    ]
    return Corpus.ordered("made-up", utterances, tuple(counts), ROOT)


def assert_partition(corpus: Corpus, *subsets: Corpus) -> None:
    """Every utterance is in exactly one subset."""
    together = Counter(utterance for subset in subsets for utterance in subset)
    assert together == Counter(corpus)
    assert all(subset.emotions == corpus.emotions for subset in subsets)
    assert all(len(subset) for subset in subsets)


@pytest.mark.parametrize("seed", range(3))
def test_random_stratifies_ravdess_exactly(seed: int):
    corpus = ravdess()

    train, test = splits.random(corpus, test_fraction=0.2, seed=seed)

    assert_partition(corpus, train, test)
    assert test.counts() == {"neutral": 19, **dict.fromkeys(RAVDESS[1:], 38)}  # 19.2 and 38.4


@pytest.mark.parametrize(
    ("count", "fraction", "expected"),
    [
        (10, 0.2, 2),
        (13, 0.2, 3),
        (2, 0.2, 1),
        (3, 0.1, 1),
        (3, 0.9, 2),
        (2, 0.99, 1),
        (100, 0.5, 50),
    ],
)
def test_random_takes_the_rounded_share_and_leaves_one_on_each_side(
    count: int, fraction: float, expected: int
):
    corpus = with_counts(happy=count, sad=50)

    train, test = splits.random(corpus, fraction)

    assert test.counts()["happy"] == expected
    assert train.counts()["happy"] == count - expected


def test_random_ignores_the_order_of_the_utterances():
    corpus = made_up()
    backwards = corpus.subset(reversed(range(len(corpus))))

    for kind in ("random", "speaker"):
        assert set(splits.split(corpus, kind)[1]) == set(splits.split(backwards, kind)[1])


def test_random_keeps_the_corpus_order():
    train, test = splits.random(made_up())

    assert list(train) == sorted(train, key=lambda utterance: utterance.path)
    assert list(test) == sorted(test, key=lambda utterance: utterance.path)


def test_seeds_differ_and_repeat():
    corpus = ravdess()

    assert splits.random(corpus, seed=1) == splits.random(corpus, seed=1)
    assert splits.random(corpus, seed=1) != splits.random(corpus, seed=2)


def test_pythons_hash_seed_changes_nothing():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from ser_keras import splits\n"
        "from ser_keras.corpora import Corpus, Utterance\n"
        "made = [Utterance(Path(f'/c/{n}.wav'), 'ab'[n % 2], str(n % 7)) for n in range(70)]\n"
        "corpus = Corpus.ordered('made-up', made, ('a', 'b'), Path('/c'))\n"
        "for kind in ('random', 'speaker'):\n"
        "    print([u.path.name for u in splits.split(corpus, kind)[1]])\n"
    )
    root = str(Path(__file__).parents[2])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, root],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 50


def test_an_emotion_with_a_single_utterance_is_refused():
    with pytest.raises(CorpusError, match=r"'sad': expected 2 recordings or more.*sad0.wav alone"):
        splits.random(with_counts(happy=10, sad=1))


def test_an_emotion_without_utterances_is_no_obstacle():
    train, _ = splits.random(with_counts(happy=10, sad=0))

    assert train.counts() == {"happy": 8, "sad": 0}


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 20, float("nan")])
def test_fractions_out_of_range_are_refused(fraction: float):
    with pytest.raises(ConfigurationError, match="test_fraction"):
        splits.random(made_up(), fraction)


def test_ravdess_has_six_groups_of_two_men_and_two_women():
    corpus = ravdess()
    assert splits.folds(corpus, "speaker") == 6

    tested: list[str] = []
    for fold in range(6):
        train, test = splits.by_speaker(corpus, fold, seed=fold)
        assert_partition(corpus, train, test)
        assert not set(train.speakers) & set(test.speakers)
        assert test.speakers == tuple(f"{4 * fold + actor:02d}" for actor in (1, 2, 3, 4))
        sex = {utterance.speaker: utterance.sex for utterance in test}
        assert sorted(sex.values()) == ["female", "female", "male", "male"]
        tested += test.speakers
    assert tested == [f"{actor:02d}" for actor in range(1, 25)]


def test_ravdess_with_20_actors_has_five_of_the_same_groups():
    corpus = ravdess(actors=20)

    assert splits.folds(corpus, "speaker") == 5
    for fold in range(5):
        whole = splits.by_speaker(ravdess(), fold)[1]
        assert splits.by_speaker(corpus, fold)[1] == whole


@pytest.mark.parametrize(("name", "speakers"), [("emodb", 10), ("savee", 4), ("tess", 2)])
def test_corpora_of_few_speakers_leave_one_out(name: str, speakers: int):
    corpus = made_up(name, speakers)

    assert splits.folds(corpus, "speaker") == speakers
    for fold in range(speakers):
        train, test = splits.by_speaker(corpus, fold)
        assert_partition(corpus, train, test)
        assert test.speakers == (corpus.speakers[fold],)
        assert test.speakers[0] not in train.speakers


@pytest.mark.parametrize("seed", range(3))
def test_drawn_groups_are_disjoint_and_balanced(seed: int):
    corpus = made_up(speakers=30)  # ten men

    tested: list[str] = []
    for fold in range(5):
        train, test = splits.by_speaker(corpus, fold, seed=seed)
        assert_partition(corpus, train, test)
        assert not set(train.speakers) & set(test.speakers)
        assert Counter({u.speaker: u.sex for u in test}.values()) == {"male": 2, "female": 4}
        tested += test.speakers
    assert sorted(tested) == list(corpus.speakers)


def test_as_many_groups_as_asked_for():
    corpus = made_up("emodb", speakers=10)

    assert [len(splits.by_speaker(corpus, fold, folds=2)[1].speakers) for fold in (0, 1)] == [5, 5]
    with pytest.raises(ConfigurationError, match=r"folds: expected 2 to 10.*found 11"):
        splits.by_speaker(corpus, 0, folds=11)


def test_by_session_leaves_one_session_out():
    corpus = made_up(speakers=10)

    assert splits.folds(corpus, "session") == 5
    for fold in range(5):
        train, test = splits.by_session(corpus, fold)
        assert_partition(corpus, train, test)
        assert test.sessions == (str(fold),)
        assert str(fold) not in train.sessions


@pytest.mark.parametrize("fold", [-1, 5])
def test_a_fold_that_does_not_exist_is_refused(fold: int):
    with pytest.raises(ConfigurationError, match="fold: expected 0 to 4"):
        splits.by_session(made_up(speakers=10), fold)


@pytest.mark.parametrize("kind", ["speaker", "session"])
def test_a_split_by_group_needs_the_group_of_every_utterance(kind: str):
    corpus = with_counts(happy=4)

    with pytest.raises(CorpusError, match=f"happy0.wav: {kind}: expected one.*found none"):
        splits.split(corpus, kind)


@pytest.mark.parametrize(
    "corpus", [made_up(speakers=1), ravdess(actors=1), ravdess(actors=4)], ids=["1", "r1", "r4"]
)
def test_one_group_cannot_be_left_out(corpus: Corpus):
    with pytest.raises(CorpusError, match="by speaker: expected 2 groups"):
        splits.by_speaker(corpus, 0)


def test_predefined_subsets_are_kept():
    subsets = ("train", "validation", "test", "train")
    utterances = [
        Utterance(ROOT / f"{number}.wav", "sad", split=name) for number, name in enumerate(subsets)
    ]
    corpus = Corpus.ordered("manifest", utterances, ("sad",), ROOT)

    train, test = splits.predefined(corpus)

    assert_partition(corpus, train, test)
    assert [utterance.path.stem for utterance in test] == ["2"]
    remaining, watched = splits.validation(train, "predefined", 0.5)
    assert_partition(train, remaining, watched)
    assert [utterance.path.stem for utterance in watched] == ["1"]
    with pytest.raises(CorpusError, match="found 0 of 2 to test"):
        splits.predefined(corpus[:2])
    with pytest.raises(CorpusError, match=r"happy0.wav: split: expected one of train"):
        splits.predefined(with_counts(happy=4))


def test_validation_is_drawn_where_none_is_named():
    corpus = with_counts(happy=4, sad=4)
    for kind in ("random", "predefined"):
        assert splits.validation(corpus, kind, 0.25, 3) == splits.random(corpus, 0.25, 3)


@pytest.mark.parametrize("kind", ["speaker", "session"])
@pytest.mark.parametrize("seed", range(3))
def test_validation_beside_a_split_by_speaker_or_session_holds_speakers_out(kind: str, seed: int):
    training, _ = splits.split(ravdess(), "speaker", fold=0)
    remaining, watched = splits.validation(training, kind, 0.1, seed)
    assert_partition(training, remaining, watched)
    assert len(watched.speakers) == 2  # of 20
    assert not set(watched.speakers) & set(remaining.speakers)
    assert {utterance.sex for utterance in watched} == {"female", "male"}
    assert splits.validation(training, kind, 0.1, seed) == (remaining, watched)


def test_validation_speakers_differ_with_the_seed_and_are_one_at_least():
    corpus = ravdess()
    held_out = {splits.validation(corpus, "speaker", 0.1, seed)[1].speakers for seed in range(4)}
    assert len(held_out) > 1
    few = made_up(speakers=3)
    assert len(splits.validation(few, "speaker", 0.01)[1].speakers) == 1


def test_validation_leaves_every_emotion_in_training():
    corpus = made_up(speakers=4)
    rare = Utterance(ROOT / "rare.wav", "bored", speaker="01")
    emotions = ("bored", "happy", "sad")
    corpus = Corpus.ordered("made-up", [*corpus, rare], emotions, ROOT)
    for seed in range(6):
        remaining, watched = splits.validation(corpus, "speaker", 0.25, seed)
        assert all(remaining.counts().values())
        assert "01" not in watched.speakers


def test_validation_without_speakers_holds_sessions_out_and_of_one_speaker_draws_utterances():
    corpus = made_up(speakers=5)
    nameless = Corpus(
        "made-up", tuple(replace(one, speaker="") for one in corpus), corpus.emotions, ROOT
    )
    remaining, watched = splits.validation(nameless, "session", 0.2)
    assert len(watched.sessions) == 1
    assert not set(watched.sessions) & set(remaining.sessions)
    alone = made_up(speakers=1)
    with pytest.warns(UserWarning, match="drawn at random: no speaker can be held out"):
        assert splits.validation(alone, "speaker", 0.2, 1) == splits.random(alone, 0.2, 1)


def segments(*emotions: str, files: int = 12, each: int = 4) -> Corpus:
    """Recordings of overlapping segments; a segment's speaker changes from one to the next."""
    return Corpus.ordered(
        "calls",
        [
            Utterance(
                ROOT / f"{file:02d}.wav",
                emotions[(file + (part if len(emotions) > 2 else 0)) % len(emotions)],
                speaker=f"{(file + part) % 6}",
                start=part / 2,
                end=part / 2 + 2,
            )
            for file in range(files)
            for part in range(each)
        ],
        tuple(sorted(set(emotions))),
        ROOT,
    )


def assert_divides_no_recording(train: Corpus, test: Corpus) -> None:
    assert not {one.path for one in train} & {one.path for one in test}
    assert len(train)
    assert len(test)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("emotions", [("angry", "sad"), ("angry", "calm", "sad")])
def test_random_divides_no_recording(emotions: tuple[str, ...], seed: int):
    corpus = segments(*emotions)
    train, test = splits.random(corpus, 0.25, seed)
    assert_partition(corpus, train, test)
    assert_divides_no_recording(train, test)
    assert 0.1 < len(test) / len(corpus) < 0.4
    assert all(train.counts().values())
    backwards = corpus.subset(reversed(range(len(corpus))))
    assert set(splits.random(backwards, 0.25, seed)[1]) == set(test)
    remaining, watched = splits.validation(train, "random", 0.25, seed)
    assert_divides_no_recording(remaining, watched)


def test_paths_that_lead_to_one_file_are_one_recording(tmp_path: Path):
    for number in range(4):
        (tmp_path / f"{number}.wav").touch()
        (tmp_path / f"link_{number}.wav").symlink_to(tmp_path / f"{number}.wav")
        (tmp_path / f"hard_{number}.wav").hardlink_to(tmp_path / f"{number}.wav")
    utterances = [Utterance(path, "sad") for path in tmp_path.iterdir()]
    corpus = Corpus.ordered("manifest", utterances, ("sad",), tmp_path)
    for seed in range(5):
        train, test = splits.random(corpus, 0.5, seed)
        assert (len(train), len(test)) == (6, 6)
        assert not {one.path.stem[-1] for one in train} & {one.path.stem[-1] for one in test}


def test_an_emotion_of_a_single_recording_is_refused_however_many_segments_it_has():
    with pytest.raises(CorpusError, match=r"'angry': expected 2 recordings or more.*00.wav alone"):
        splits.random(segments("angry", "sad", files=2))


@pytest.mark.parametrize("kind", ["speaker", "predefined"])
def test_what_is_left_of_a_recording_in_the_test_subset_is_not_trained_on(kind: str):
    corpus = segments("angry", "sad", each=2)
    if kind == "predefined":
        told = [replace(one, split="test" if one.path.stem < "04" else "train") for one in corpus]
        told[0] = replace(told[0], split="train")
        corpus = Corpus(corpus.name, tuple(told), corpus.emotions, ROOT)
    with pytest.warns(UserWarning, match=r"calls: left \d+ utterances out of training, since"):
        train, test = splits.split(corpus, kind)
    assert_divides_no_recording(train, test)
    assert len(train) + len(test) < len(corpus)


def test_recordings_that_all_are_tested_on_leave_nothing_to_train_on():
    corpus = Corpus.ordered(
        "call",
        [Utterance(ROOT / "call.wav", "sad", speaker=one, start=float(one)) for one in "01"],
        ("sad",),
        ROOT,
    )
    with pytest.raises(CorpusError, match="call: expected recordings to train on, found every one"):
        splits.by_speaker(corpus, 0)


def test_an_unknown_kind_is_refused():
    for call in (splits.split, splits.folds):
        with pytest.raises(ConfigurationError, match=r"random, speaker, session.*'speakers'"):
            call(made_up(), "speakers")


def test_split_makes_the_split_of_its_kind():
    corpus = made_up(speakers=10)

    assert splits.split(corpus, "random", test_fraction=0.4, seed=2) == splits.random(
        corpus, 0.4, 2
    )
    assert splits.split(corpus, "speaker", 1, seed=2) == splits.by_speaker(corpus, 1, seed=2)
    assert splits.split(corpus, "session", 3) == splits.by_session(corpus, 3)
