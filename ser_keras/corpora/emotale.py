"""EmoTale, an enacted speech-emotion dataset in Danish and English: 18 speakers, five emotions.

Hjuler, Skat-Rørdam, Clemmensen & Das (2025), arXiv:2508.14548. Names as its repository
snehadas/EmoTale describes them, and as its annotations.csv has them. The speakers' sex and age are
in a speaker_info.csv whose form is not published: they stay unknown.
"""

from ser_keras.corpora.recordings import Release

RELEASE = Release(
    name="emotale",
    title="EmoTale",
    layout="files such as DK_004_A_5.wav or EN_004_A_5.wav (language, speaker, emotion, sentence)",
    pattern=r".*/(?P<language>DK|EN)_(?P<speaker>0\d\d)_(?P<emotion>[AHSBN])_(?P<sentence>[1-5])",
    emotions={"A": "anger", "H": "happiness", "S": "sadness", "B": "boredom", "N": "neutral"},
    speaker=lambda number: (number, ""),
)
