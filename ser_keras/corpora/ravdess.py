"""RAVDESS, the Ryerson audio-visual database of emotional speech and song: the speech in it.

24 speakers, eight emotions. Livingstone & Russo (2018), PLoS ONE 13(5): e0196391.
"""

from ser_keras.corpora.recordings import Release

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
AUDIO_ONLY, SPEECH = "03", "01"

RELEASE = Release(
    name="ravdess",
    title="RAVDESS",
    layout="folders Actor_01 to Actor_24 with audio-only speech, files such as "
    "03-01-05-02-01-01-12.wav",
    # In whatever folder: the names hold all that is needed.
    pattern=r".*/(?P<modality>0[1-3])-(?P<channel>0[12])-(?P<emotion>0[1-8])"
    r"-(?P<intensity>0[12])-(?P<statement>0[12])-(?P<repetition>0[12])"
    r"-(?P<speaker>0[1-9]|1\d|2[0-4])",
    emotions={f"{number:02d}": emotion for number, emotion in enumerate(EMOTIONS, start=1)},
    speaker=lambda actor: (actor, "male" if int(actor) % 2 else "female"),
    wanted=lambda fields: (fields["modality"], fields["channel"]) == (AUDIO_ONLY, SPEECH),
    folder=r"Actor_\d\d",
    depth=1,
)
