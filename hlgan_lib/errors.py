"""The one error that a user can mend: a wrong path, size, flag or checkpoint."""


class HLError(ValueError):
    """One line that names the value, what was expected, what was got, and what to do.

    The command line prints it without a traceback and ends with exit code 2.
    """
