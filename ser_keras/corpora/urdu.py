"""URDU, emotional speech of Urdu talk shows: 38 speakers, four emotions.

Latif, Qayyum, Usman & Qadir (2018), "Cross Lingual Speech Emotion Recognition: Urdu vs. Western
Languages". Names as in its repository siddiquelatif/URDU-Dataset.
"""

from ser_keras.corpora.recordings import Release

RELEASE = Release(
    name="urdu",
    title="URDU",
    layout="folders Angry, Happy, Neutral and Sad with files such as SM1_F10_A010.wav (speaker, "
    "file of the speaker, emotion and number)",
    pattern=r".*/(?P<speaker>S[MF]\d+)_F(?P<file>\d+)_(?P<emotion>[AHNS])(?P<number>\d+)",
    emotions={"A": "angry", "H": "happy", "N": "neutral", "S": "sad"},
    speaker=lambda code: (code, "female" if code.startswith("SF") else "male"),
)
