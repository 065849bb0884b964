"""`hlgan`, and `python -m hlgan_lib`, which torchrun can start."""

import sys


def main() -> int:
    """Run the command line; Ctrl-C is silent while it is still being imported."""
    try:
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
