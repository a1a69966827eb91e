"""CREMA-D, the crowd-sourced emotional multimodal actors dataset: 91 speakers, six emotions.

Emotions are those that the actors meant. Cao, Cooper, Keutmann, Gur, Nenkova & Verma (2014), IEEE
Transactions on Affective Computing 5(4).
"""

from ser_keras.corpora.recordings import Release

# Both from the release's VideoDemographics.csv: 43 of the 91 actors, and the ages of all.
WOMEN = {
    1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025, 1028,
    1029, 1030, 1037, 1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060, 1061, 1063,
    1072, 1073, 1074, 1075, 1076, 1078, 1079, 1082, 1084, 1089, 1091,
}  # fmt: skip
AGES = (
    51, 21, 21, 42, 29, 58, 38, 46, 24, 27, 32, 23, 22, 24, 32, 61, 42, 25, 29, 61, 30, 22, 22, 59,
    48, 33, 44, 57, 33, 42, 31, 30, 31, 74, 48, 49, 45, 21, 51, 42, 42, 37, 25, 40, 22, 22, 22, 38,
    25, 62, 56, 33, 35, 36, 57, 52, 25, 36, 21, 28, 51, 56, 33, 53, 38, 25, 66, 34, 27, 25, 41, 33,
    24, 31, 40, 25, 20, 21, 21, 21, 30, 20, 45, 46, 34, 33, 62, 23, 24, 50, 29,
)  # fmt: skip

_TWO_LABELS = "whose sound is there under another emotion too"
FAULTS = {
    "1076_MTI_SAD_XX": "silent",
    "1006_TIE_HAP_XX": _TWO_LABELS,
    "1006_TIE_NEU_XX": _TWO_LABELS,
    "1013_WSI_DIS_XX": _TWO_LABELS,
    "1013_WSI_SAD_XX": _TWO_LABELS,
    "1017_IWW_ANG_XX": _TWO_LABELS,
    "1017_IWW_FEA_XX": _TWO_LABELS,
}

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
    faults=FAULTS,
    ages={str(actor): age for actor, age in enumerate(AGES, start=1001)},
)
