"""ASED, the Amharic speech emotion dataset: 65 speakers, five emotions.

Retta, Almekhlafi, Sutcliffe, Mhamed, Ali & Feng (2022), ACM Transactions on Asian and Low-Resource
Language Information Processing, doi:10.1145/3529759. Names as its repository Ethio2021/ASED_V1
describes them.
"""

from ser_keras.corpora.recordings import Release

RELEASE = Release(
    name="ased",
    title="ASED",
    layout="a folder for each emotion with files such as a5-03-01-02-50.wav (emotion and folder, "
    "sentence, repetition, sex, speaker)",
    # One released file, S4-04-02-01-29, has a capital.
    pattern=r".*/(?P<emotion>[nfhsa])(?P<folder>[1-5])-(?P<sentence>\d\d)-(?P<repetition>\d\d)"
    r"-(?P<speaker>0[12]-\d\d)",
    emotions={"N": "neutral", "F": "fearful", "H": "happy", "S": "sad", "A": "angry"},
    speaker=lambda code: (code[3:], "female" if code.startswith("01") else "male"),
)
