"""SAVEE, the Surrey audio-visual expressed emotion database.

Haq & Jackson (2010), in Machine Audition: Principles, Algorithms and Systems, 398-423.
"""

from __future__ import annotations

import re
from os import PathLike

from ser_keras.corpora.recordings import Layout, find_recordings
from ser_keras.corpora.utterance import Corpus, Utterance

EMOTION_OF_CODE = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}

LAYOUT = Layout(
    title="SAVEE",
    looked_for="folders DC, JE, JK and KL with files such as a01.wav, or files such as DC_a01.wav",
    # The speaker is the folder's name or the beginning of the file's.
    name=re.compile(
        r"(?:.*/)?(?P<speaker>DC|JE|JK|KL)[/_](?P<emotion>sa|su|[adfhn])(?P<number>\d\d)",
        re.IGNORECASE,
    ),
)


def load(root: str | PathLike[str] | None = None) -> Corpus:
    """All utterances, by four men in seven emotions.

    Args:
        root: the folder with the speakers' folders (`AudioData`) or with all files, or one above.

    Raises:
        CorpusError: the folder does not hold SAVEE.
    """
    folder, recordings = find_recordings(root, LAYOUT)
    utterances = [
        Utterance(
            path=recording.path,
            emotion=EMOTION_OF_CODE[recording.fields["emotion"].lower()],
            speaker=recording.fields["speaker"].upper(),
            sex="male",
        )
        for recording in recordings
    ]
    return Corpus.ordered("savee", utterances, tuple(EMOTION_OF_CODE.values()), folder)
