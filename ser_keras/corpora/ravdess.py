"""RAVDESS, the Ryerson audio-visual database of emotional speech and song: its spoken part.

Livingstone & Russo (2018), PLoS ONE 13(5): e0196391.
"""

from __future__ import annotations

import re
from os import PathLike

from ser_keras.corpora.recordings import Layout, find_recordings
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
AUDIO_ONLY = "03"
SPEECH = "01"

LAYOUT = Layout(
    title="RAVDESS",
    looked_for="folders Actor_01 to Actor_24 with files such as 03-01-05-02-01-01-12.wav",
    folder=re.compile(r"Actor_\d\d", re.IGNORECASE),
    name=re.compile(
        r"Actor_\d\d/(?P<modality>0[1-3])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
        r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>0[1-9]|1\d|2[0-4])",
        re.IGNORECASE,
    ),
    depth=1,
)


def load(root: str | PathLike[str] | None = None) -> Corpus:
    """The audio-only speech recordings; song and video are ignored.

    Args:
        root: the folder with the `Actor_NN` folders, or one above it.

    Raises:
        CorpusError: the folder does not hold RAVDESS speech.
    """
    folder, recordings = find_recordings(root, LAYOUT)
    utterances = [
        Utterance(
            path=recording.path,
            emotion=EMOTIONS[int(recording.fields["emotion"]) - 1],
            speaker=recording.fields["actor"],
            sex="male" if int(recording.fields["actor"]) % 2 else "female",
        )
        for recording in recordings
        if recording.fields["modality"] == AUDIO_ONLY and recording.fields["channel"] == SPEECH
    ]
    if not utterances:
        raise CorpusError(
            f"{folder}: only song or video of RAVDESS here; looked for speech, files that begin "
            f"with {AUDIO_ONLY}-{SPEECH}-"
        )
    return Corpus.ordered("ravdess", utterances, EMOTIONS, folder)
