"""Search for hyperparameters with KerasTuner: the hypermodel, the searches and their command.

Installed as ``ser_keras.tuning``. It imports ``ser_keras``, never the other way round.
"""
