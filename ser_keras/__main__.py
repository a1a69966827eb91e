"""`python -m ser_keras` is the command `ser-keras`."""

import sys

from ser_keras.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
