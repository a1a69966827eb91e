"""Speech emotion recognition by generation: a variational RNN whose attention emerges from its prediction error."""
