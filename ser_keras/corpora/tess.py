"""TESS, the Toronto emotional speech set.

Pichora-Fuller & Dupuis (2020), Borealis, doi:10.5683/SP2/E8H2MF.
"""

from __future__ import annotations

import re
from os import PathLike

from ser_keras.corpora.recordings import Layout, find_recordings
from ser_keras.corpora.utterance import Corpus, Utterance

EMOTION_OF_WORD = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "pleasant surprise",
    "sad": "sad",
}

LAYOUT = Layout(
    title="TESS",
    looked_for="files such as OAF_back_angry.wav or YAF_back_ps.wav (speaker, word, emotion)",
    # One released file, OA_bite_neutral, lacks the F.
    name=re.compile(
        r".*/(?P<speaker>[OY]A)F?_(?P<word>[a-z]+)"
        r"_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)",
        re.IGNORECASE,
    ),
)


def load(root: str | PathLike[str] | None = None) -> Corpus:
    """All utterances, by an older (OAF) and a younger (YAF) woman in seven emotions.

    Args:
        root: the folder with the recordings or with a folder for each speaker and emotion, or one
            above it.

    Raises:
        CorpusError: the folder does not hold TESS.
    """
    folder, recordings = find_recordings(root, LAYOUT)
    utterances = [
        Utterance(
            path=recording.path,
            emotion=EMOTION_OF_WORD[recording.fields["emotion"].lower()],
            speaker=f"{recording.fields['speaker'].upper()}F",
            sex="female",
        )
        for recording in recordings
    ]
    return Corpus.ordered("tess", utterances, tuple(EMOTION_OF_WORD.values()), folder)
