"""nEMO, a dataset of emotional speech in Polish: nine speakers, six emotions.

Christop (2024), LREC-COLING, "nEMO: Dataset of Emotional Speech in Polish". Names as its repository
amu-cai/nEMO describes and has them.
"""

from ser_keras.corpora.recordings import Release

# Sex and age of the speakers, from the release's data.tsv.
SPEAKERS = {
    "EB0": ("female", 27),
    "IC0": ("female", 28),
    "KD0": ("female", 28),
    "KS0": ("male", 23),
    "MK0": ("female", 23),
    "MP0": ("male", 24),
    "SM0": ("male", 24),
    "TP0": ("male", 26),
    "WR0": ("male", 23),
}

RELEASE = Release(
    name="nemo",
    title="nEMO",
    layout="a folder samples with files such as WR0_surprised_64.wav (speaker, emotion, sentence)",
    pattern=rf".*/(?P<speaker>{'|'.join(SPEAKERS)})"
    r"_(?P<emotion>anger|fear|happiness|neutral|sadness|surprised)_(?P<sentence>\d+)",
    emotions={
        "ANGER": "anger",
        "FEAR": "fear",
        "HAPPINESS": "happiness",
        "NEUTRAL": "neutral",
        "SADNESS": "sadness",
        "SURPRISED": "surprised",
    },
    speaker=lambda code: (code, SPEAKERS[code][0]),
    ages={code: age for code, (_, age) in SPEAKERS.items()},
)
