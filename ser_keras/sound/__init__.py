"""Sound: decoding, live sound, WAV headers, resampling."""
