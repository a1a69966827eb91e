"""ESD, the emotional speech dataset: ten speakers of Mandarin, ten of English, five emotions.

Zhou, Sisman, Liu & Li (2022), Speech Communication 137, 1-18. Folders as its loader in
Strong-AI-Lab/emotion (datasets/ESD) has them, and without the folders of subsets, as it circulates.
"""

from ser_keras.corpora.recordings import Release

# From the release's ReadMe.txt. Speakers up to 0010 speak Mandarin.
MEN = ("0004", "0005", "0006", "0008", "0010", "0011", "0012", "0013", "0014", "0020")

RELEASE = Release(
    name="esd",
    title="ESD",
    layout="folders 0001 to 0020, in each Angry, Happy, Neutral, Sad and Surprise, with files such "
    "as 0011_000351.wav (speaker, number), which may lie in train, evaluation and test",
    pattern=r"(?P<emotion>Angry|Happy|Neutral|Sad|Surprise)/(?:(?:train|evaluation|test)/)?"
    r"(?P<speaker>00(?:0[1-9]|1\d|20))_(?P<number>\d{6})",
    emotions={
        "ANGRY": "angry",
        "HAPPY": "happy",
        "NEUTRAL": "neutral",
        "SAD": "sad",
        "SURPRISE": "surprise",
    },
    speaker=lambda number: (number, "male" if number in MEN else "female"),
    depth=2,
)
