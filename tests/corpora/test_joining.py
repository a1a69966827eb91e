"""Several corpora as one: classes, speakers, paths, splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.corpora import Corpus, Utterance, joining, splits
from ser_keras.errors import ConfigurationError, CorpusError


@pytest.fixture(autouse=True)
def _say_everything_again():
    joining._say.cache_clear()


def made_up(
    name: str, emotions: Iterable[str], speakers: int = 6, each: int = 3, root: str = ""
) -> Corpus:
    """A corpus of which every second speaker is a woman."""
    emotions, folder = tuple(emotions), Path(root or f"/data/{name}")
    utterances = [
        Utterance(
            folder / f"{speaker:02d}" / f"{emotion}{take}.wav",
            emotion,
            speaker=f"{speaker:02d}",
            session=str(speaker % 2),
            sex="female" if speaker % 2 == 0 else "male",
        )
        for speaker in range(1, speakers + 1)
        for emotion in emotions
        for take in range(each)
    ]
    return Corpus.ordered(name, utterances, emotions, folder)


RAVDESS = made_up("ravdess", ("neutral", "calm", "happy", "sad"), speakers=8)
CREMA_D = made_up("crema-d", ("anger", "happy", "neutral", "sad"), speakers=11)
NEMO = made_up("nemo", ("happiness", "Neutral", "surprised"), speakers=9)


def test_classes_are_the_first_corpus_emotions_then_what_others_add():
    joined = corpora.join([RAVDESS, CREMA_D, NEMO])

    assert joined.emotions == ("neutral", "calm", "happy", "sad", "anger", "surprised")
    assert len(joined) == len(RAVDESS) + len(CREMA_D) + len(NEMO)
    assert joined.counts()["happy"] == 3 * (8 + 11 + 9)
    assert joined.counts()["calm"] == 3 * 8


def test_another_order_names_the_classes_by_another_corpus():
    assert corpora.join([NEMO, RAVDESS]).emotions == (
        "happiness",
        "Neutral",
        "surprised",
        "calm",
        "sad",
    )


def test_words_for_one_emotion_within_a_corpus_are_one_class_too():
    own = made_up("manifest", ("Angry", "anger", "ANGRY"))

    assert corpora.join([own, RAVDESS]).counts()["Angry"] == len(own)


def test_what_counts_as_what_is_told_and_counted(capsys: pytest.CaptureFixture[str]):
    corpora.join([RAVDESS, NEMO])
    corpora.join([RAVDESS, NEMO])

    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "nemo: happiness counts as happy (27), Neutral counts as neutral (27)",
        "ravdess+nemo: 177 utterances of 17 speakers; neutral 24 + 27, calm 24 + 0, happy 24 + 27, "
        "sad 24 + 0, surprised 0 + 27",
    ]
    assert said.out == ""


def test_speakers_and_sessions_of_two_corpora_are_different_ones():
    joined = corpora.join([RAVDESS, NEMO])

    assert len(joined.speakers) == 17
    assert {"ravdess:01", "nemo:01"} <= set(joined.speakers)
    assert joined.sessions == ("nemo:0", "nemo:1", "ravdess:0", "ravdess:1")
    assert Counter(utterance.corpus for utterance in joined) == {"ravdess": 96, "nemo": 81}
    assert {name: len(found) for name, found in joined.by_source().items()} == {
        "ravdess": 96,
        "nemo": 81,
    }


def test_unknown_speakers_stay_unknown():
    unknown = Corpus("manifest", (Utterance(Path("/a.wav"), "happy"),), ("happy",), Path("/"))

    assert corpora.join([unknown, NEMO])[0].speaker == ""


def test_a_single_corpus_stays_as_it_is():
    assert corpora.join([RAVDESS]) is RAVDESS


def test_nothing_to_join_is_an_error():
    with pytest.raises(CorpusError, match="expected one or more, found none"):
        corpora.join([])


def test_a_corpus_twice_is_numbered():
    one, other = (made_up("manifest", ("happy",), root=f"/data/{name}") for name in "ab")

    joined = corpora.join([one, other])

    assert joined.name == "manifest+manifest-2"
    assert [source.name for source in joined.sources] == ["manifest", "manifest-2"]
    assert len(joined.speakers) == 12


def test_a_recording_in_two_corpora_is_refused():
    with pytest.raises(CorpusError, match=r"wav: expected in one corpus, found in ravdess and rav"):
        corpora.join([RAVDESS, RAVDESS])


def test_a_joined_corpus_is_not_joined_again():
    with pytest.raises(CorpusError, match="expected single corpora to join, found a joined one"):
        corpora.join([corpora.join([RAVDESS, NEMO]), CREMA_D])


def test_paths_begin_with_the_corpus_and_do_not_depend_on_where_it_lies():
    here = corpora.join([RAVDESS, NEMO])
    there = corpora.join(
        [
            made_up("ravdess", RAVDESS.emotions, speakers=8, root="/mnt/x/y"),
            made_up("nemo", NEMO.emotions, speakers=9, root="/elsewhere"),
        ]
    )

    assert here.relative_path(here[0]) == "ravdess/01/calm0.wav"
    assert list(map(here.utterance_key, here)) == list(map(there.utterance_key, there))


def test_subsets_and_matched_corpora_keep_the_sources():
    joined = corpora.join([RAVDESS, NEMO])
    matched = corpora.match(joined, ("neutral", "joy")).corpus

    assert joined[:3].sources == matched.sources == joined.sources
    assert matched.relative_path(matched[-1]).startswith("nemo/")


def test_every_fold_by_speaker_holds_out_speakers_of_each_corpus():
    joined = corpora.join([RAVDESS, CREMA_D, NEMO])

    assert splits.folds(joined, "speaker") == 2  # RAVDESS' two groups of four
    seen: Counter[str] = Counter()
    for fold in range(2):
        train, test = splits.by_speaker(joined, fold)
        assert not set(train.speakers) & set(test.speakers)
        assert set(test.by_source()) == {"ravdess", "crema-d", "nemo"}
        seen.update(test.speakers)
    assert seen == dict.fromkeys(joined.speakers, 1)


def test_a_corpus_with_as_many_folds_alone_keeps_them():
    joined = corpora.join([CREMA_D, NEMO])

    assert splits.folds(joined, "speaker") == 5
    for corpus in (CREMA_D, NEMO):
        for fold in range(5):
            alone = {utterance.path for utterance in splits.by_speaker(corpus, fold)[1]}
            _, test = splits.by_speaker(joined, fold)
            assert {one.path for one in test if one.corpus == corpus.name} == alone


def test_ravdess_keeps_its_groups_beside_another_corpus():
    joined = corpora.join([made_up("ravdess", ("sad",), speakers=20), CREMA_D])

    _, test = splits.by_speaker(joined, 1)

    assert splits.folds(joined, "speaker") == 5
    assert [one for one in test.speakers if one.startswith("ravdess")] == [
        "ravdess:05",
        "ravdess:06",
        "ravdess:07",
        "ravdess:08",
    ]


def test_folds_are_balanced_by_sex():
    joined = corpora.join([made_up("emodb", ("sad",), speakers=10), CREMA_D])

    for fold in range(splits.folds(joined, "speaker")):
        _, test = splits.by_speaker(joined, fold)
        sexes = {one.speaker: one.sex for one in test if one.corpus == "emodb"}
        assert sorted(sexes.values()) == ["female", "male"]


def test_a_number_of_folds_is_drawn_of_each_corpus():
    joined = corpora.join([CREMA_D, NEMO])

    _, test = splits.by_speaker(joined, fold=2, folds=3)

    assert Counter(speaker.partition(":")[0] for speaker in test.speakers) == {
        "crema-d": 3,
        "nemo": 3,
    }
    with pytest.raises(ConfigurationError, match="2 to 9, the number of speakers of nemo"):
        splits.by_speaker(joined, fold=0, folds=10)


def test_a_corpus_of_one_speaker_cannot_be_split_by_speaker():
    joined = corpora.join([CREMA_D, made_up("manifest", ("sad",), speakers=1)])

    with pytest.raises(CorpusError, match="2 speakers or more of each corpus, found manifest:01"):
        splits.by_speaker(joined, fold=0)


def test_a_random_split_is_stratified_by_corpus_and_emotion():
    joined = corpora.join([RAVDESS, NEMO])

    train, test = splits.random(joined, test_fraction=0.25, seed=3)

    assert not set(train) & set(test)
    assert Counter((one.corpus, one.emotion) for one in test) == {
        **{("ravdess", emotion): 6 for emotion in RAVDESS.emotions},
        **{("nemo", emotion): 7 for emotion in ("happy", "neutral", "surprised")},
    }
    alone = {utterance.path for utterance in splits.random(RAVDESS, 0.25, seed=3)[1]}
    assert {utterance.path for utterance in test if utterance.corpus == "ravdess"} == alone


def test_a_split_survives_its_file(tmp_path: Path):
    joined = corpora.join([RAVDESS, NEMO])
    train, test = splits.by_speaker(joined, 1)

    splits.write(tmp_path / "split.csv", {"train": train, "test": test})

    assert splits.read(tmp_path / "split.csv", joined) == {"train": train, "test": test}


def test_a_split_by_session_leaves_one_corpus_session_out():
    joined = corpora.join([RAVDESS, NEMO])

    assert splits.folds(joined, "session") == 4
    assert splits.by_session(joined, 0)[1].sessions == ("nemo:0",)


def test_leaving_one_corpus_out_leaves_all_of_it_out():
    joined = corpora.join([RAVDESS, CREMA_D, NEMO])

    assert splits.folds(joined, "corpus") == 3
    for fold, name in enumerate(("ravdess", "crema-d", "nemo")):
        train, test = splits.split(joined, "corpus", fold)
        assert set(test.by_source()) == {name}
        assert len(train) + len(test) == len(joined)
        assert name not in train.by_source()


def test_of_the_corpora_trained_on_whole_speakers_are_held_out():
    training, _ = splits.by_corpus(corpora.join([RAVDESS, CREMA_D, NEMO]), 1)

    train, validation = splits.validation(training, "corpus", 0.2)

    assert set(validation.by_source()) == {"ravdess", "nemo"}
    assert not set(train.speakers) & set(validation.speakers)


def test_a_single_corpus_cannot_be_left_out():
    with pytest.raises(CorpusError, match="by corpus: expected 2 joined corpora or more, found 1"):
        splits.by_corpus(RAVDESS, 0)
    with pytest.raises(
        ConfigurationError, match=r"fold: expected 0 to 1 for ravdess\+nemo by corpus"
    ):
        splits.by_corpus(corpora.join([RAVDESS, NEMO]), 2)
