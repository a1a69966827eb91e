"""EMO-DB, the Berlin database of emotional speech: ten speakers, seven emotions.

Burkhardt, Paeschke, Rolfes, Sendlmeier & Weiss (2005), Interspeech, 1517-1520.
"""

from ser_keras.corpora.recordings import Release

MEN = ("03", "10", "11", "12", "15")

RELEASE = Release(
    name="emodb",
    title="EMO-DB",
    layout="a folder wav with files such as 03a01Fa.wav (speaker, text, emotion, version)",
    pattern=r".*/(?P<speaker>03|08|09|1[0-6])(?P<text>[ab]\d\d)(?P<emotion>[WLEAFTN])"
    r"(?P<version>[a-z])",
    # The letters of the German words: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
    emotions={
        "W": "anger",
        "L": "boredom",
        "E": "disgust",
        "A": "fear",
        "F": "happiness",
        "T": "sadness",
        "N": "neutral",
    },
    speaker=lambda number: (number, "male" if number in MEN else "female"),
)
