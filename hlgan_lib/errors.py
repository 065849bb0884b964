"""The one error that a user can mend: a wrong path, size, flag or checkpoint."""

from .text import shown


class HLError(ValueError):
    """One line that names the value, what was expected, what was got, and what to do.

    The command line prints it without a traceback and ends with exit code 2. What is not printable
    in it, as names and stored files may hold anything, is escaped.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(shown(message))
