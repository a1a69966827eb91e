"""SAVEE, the Surrey audio-visual expressed emotion database: four men, seven emotions.

Haq & Jackson (2010), in Machine Audition: Principles, Algorithms and Systems, 398-423.
"""

from ser_keras.corpora.recordings import Release

RELEASE = Release(
    name="savee",
    title="SAVEE",
    layout="folders DC, JE, JK and KL with files such as a01.wav, or files such as DC_a01.wav",
    # The speaker is the folder's name or the beginning of the file's.
    pattern=r"(?:.*/)?(?P<speaker>DC|JE|JK|KL)[/_](?P<emotion>sa|su|[adfhn])(?P<number>\d\d)",
    emotions={
        "A": "anger",
        "D": "disgust",
        "F": "fear",
        "H": "happiness",
        "N": "neutral",
        "SA": "sadness",
        "SU": "surprise",
    },
    speaker=lambda initials: (initials, "male"),
)
