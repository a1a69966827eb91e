"""CREMA-D, the crowd-sourced emotional multimodal actors dataset.

Cao, Cooper, Keutmann, Gur, Nenkova & Verma (2014), IEEE Transactions on Affective Computing 5(4).
"""

from __future__ import annotations

import re
from os import PathLike

from ser_keras.corpora.recordings import Layout, find_recordings
from ser_keras.corpora.utterance import Corpus, Utterance

EMOTION_OF_CODE = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}

# From the release's VideoDemographics.csv: 43 of the 91 actors.
WOMEN = {
    1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025, 1028,
    1029, 1030, 1037, 1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060, 1061, 1063,
    1072, 1073, 1074, 1075, 1076, 1078, 1079, 1082, 1084, 1089, 1091,
}  # fmt: skip

LAYOUT = Layout(
    title="CREMA-D",
    looked_for="a folder AudioWAV with files such as 1001_DFA_ANG_XX.wav (actor, sentence, "
    "emotion, level)",
    # One released file, 1040_ITH_SAD_X, has a level of a single letter.
    name=re.compile(
        r".*/(?P<actor>10(?:0[1-9]|[1-8]\d|9[01]))_(?P<sentence>[A-Z]{3})"
        r"_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<level>LO|MD|HI|XX?)",
        re.IGNORECASE,
    ),
)


def load(root: str | PathLike[str] | None = None) -> Corpus:
    """All utterances, by 91 speakers in six emotions as the actors meant them.

    Args:
        root: the folder `AudioWAV`, or one above it.

    Raises:
        CorpusError: the folder does not hold CREMA-D.
    """
    folder, recordings = find_recordings(root, LAYOUT)
    utterances = [
        Utterance(
            path=recording.path,
            emotion=EMOTION_OF_CODE[recording.fields["emotion"].upper()],
            speaker=recording.fields["actor"],
            sex="female" if int(recording.fields["actor"]) in WOMEN else "male",
        )
        for recording in recordings
    ]
    return Corpus.ordered("crema-d", utterances, tuple(EMOTION_OF_CODE.values()), folder)
