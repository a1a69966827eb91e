"""TESS, the Toronto emotional speech set: an older and a younger woman, seven emotions.

Pichora-Fuller & Dupuis (2020), Borealis, doi:10.5683/SP2/E8H2MF.
"""

from ser_keras.corpora.recordings import Release

RELEASE = Release(
    name="tess",
    title="TESS",
    layout="files such as OAF_back_angry.wav or YAF_back_ps.wav (speaker, word, emotion)",
    # One released file, OA_bite_neutral, lacks the F.
    pattern=r".*/(?P<speaker>[OY]A)F?_(?P<word>[a-z]+)"
    r"_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)",
    emotions={
        "ANGRY": "angry",
        "DISGUST": "disgust",
        "FEAR": "fear",
        "HAPPY": "happy",
        "NEUTRAL": "neutral",
        "PS": "pleasant surprise",
        "SAD": "sad",
    },
    speaker=lambda age: (f"{age}F", "female"),
)
