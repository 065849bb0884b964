"""`python -m hlgan_lib`, which torchrun can start: the same as `hlgan`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
