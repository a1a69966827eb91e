"""JL corpus, emotional speech in New Zealand English: four speakers, five emotions and five more.

James, Li & Watson (2018), Interspeech, 2768-2772. The second five are what a robot needs to hear
in a conversation. Names as its loader in Strong-AI-Lab/emotion (datasets/JL) has them.
"""

from ser_keras.corpora.recordings import Release

PRIMARY = ("angry", "sad", "neutral", "happy", "excited")
SECONDARY = ("anxious", "apologetic", "assertive", "concerned", "encouraging")

RELEASE = Release(
    name="jl-corpus",
    title="the JL corpus",
    layout="a folder JL(wav+txt) with files such as female1_angry_1a_1.wav (speaker, emotion, "
    "sentence, session)",
    pattern=rf".*/(?P<speaker>(?:fe)?male[12])_(?P<emotion>{'|'.join(PRIMARY + SECONDARY)})"
    r"_(?P<sentence>\d+[ab])_(?P<session>[12])",
    emotions={emotion.upper(): emotion for emotion in PRIMARY + SECONDARY},
    speaker=lambda code: (code.lower(), code.lower()[:-1]),
)
