"""Evaluation: accuracy, what was sampled, the reproduction of the paper, plots and reports."""
