"""EMOVO, an Italian emotional speech database: six actors, seven emotions.

Costantini, Iaderola, Paoloni & Todisco (2014), LREC, 3501-3504. Names as its loaders have them:
Strong-AI-Lab/emotion (datasets/EMOVO) and the description in DagsHub/audio-datasets (EMOVO).
"""

from ser_keras.corpora.recordings import Release

RELEASE = Release(
    name="emovo",
    title="EMOVO",
    layout="folders f1 to f3 and m1 to m3 with files such as dis-f1-b1.wav (emotion, actor, "
    "sentence)",
    pattern=r".*/(?P<emotion>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>[fm][123])"
    r"-(?P<sentence>[a-z]\d)",
    # The Italian words: disgusto, gioia, neutro, paura, rabbia, sorpresa, tristezza.
    emotions={
        "DIS": "disgust",
        "GIO": "joy",
        "NEU": "neutral",
        "PAU": "fear",
        "RAB": "anger",
        "SOR": "surprise",
        "TRI": "sadness",
    },
    speaker=lambda actor: (actor.lower(), "female" if actor.startswith("F") else "male"),
)
