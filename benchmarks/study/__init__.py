"""What each part of a preset is worth: the preset with one thing changed, on the same splits."""
