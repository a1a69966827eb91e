"""EMO-DB, the Berlin database of emotional speech.

Burkhardt, Paeschke, Rolfes, Sendlmeier & Weiss (2005), Interspeech, 1517-1520.
"""

from __future__ import annotations

import re
from os import PathLike

from ser_keras.corpora.recordings import Layout, find_recordings
from ser_keras.corpora.utterance import Corpus, Utterance

# The letters are those of the German words: Wut, Langeweile, Ekel, Angst, Freude, Trauer.
EMOTION_OF_LETTER = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
MEN = ("03", "10", "11", "12", "15")

LAYOUT = Layout(
    title="EMO-DB",
    looked_for="a folder wav with files such as 03a01Fa.wav (speaker, text, emotion, version)",
    name=re.compile(
        r".*/(?P<speaker>03|08|09|1[0-6])(?P<text>[ab]\d\d)(?P<emotion>[WLEAFTN])"
        r"(?P<version>[a-z])",
        re.IGNORECASE,
    ),
)


def load(root: str | PathLike[str] | None = None) -> Corpus:
    """All utterances, by ten speakers in seven emotions.

    Args:
        root: the folder `wav`, or one above it.

    Raises:
        CorpusError: the folder does not hold EMO-DB.
    """
    folder, recordings = find_recordings(root, LAYOUT)
    utterances = [
        Utterance(
            path=recording.path,
            emotion=EMOTION_OF_LETTER[recording.fields["emotion"].upper()],
            speaker=recording.fields["speaker"],
            sex="male" if recording.fields["speaker"] in MEN else "female",
        )
        for recording in recordings
    ]
    return Corpus.ordered("emodb", utterances, tuple(EMOTION_OF_LETTER.values()), folder)
