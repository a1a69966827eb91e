"""CREMA-D, the crowd-sourced emotional multimodal actors dataset: 91 speakers, six emotions.

Emotions are those that the actors meant. Cao, Cooper, Keutmann, Gur, Nenkova & Verma (2014), IEEE
Transactions on Affective Computing 5(4).
"""

from ser_keras.corpora.recordings import Release

# From the release's VideoDemographics.csv: 43 of the 91 actors.
WOMEN = {
    1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025, 1028,
    1029, 1030, 1037, 1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060, 1061, 1063,
    1072, 1073, 1074, 1075, 1076, 1078, 1079, 1082, 1084, 1089, 1091,
}  # fmt: skip

RELEASE = Release(
    name="crema-d",
    title="CREMA-D",
    layout="a folder AudioWAV with files such as 1001_DFA_ANG_XX.wav (actor, sentence, emotion, "
    "level)",
    # One released file, 1040_ITH_SAD_X, has a level of a single letter.
    pattern=r".*/(?P<speaker>10(?:0[1-9]|[1-8]\d|9[01]))_(?P<sentence>[A-Z]{3})"
    r"_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<level>LO|MD|HI|XX?)",
    emotions={
        "ANG": "anger",
        "DIS": "disgust",
        "FEA": "fear",
        "HAP": "happy",
        "NEU": "neutral",
        "SAD": "sad",
    },
    speaker=lambda actor: (actor, "female" if int(actor) in WOMEN else "male"),
)
