"""Ablation study: a preset with one thing changed at a time, on the same splits."""
