"""The errors that the user of a command can mend; anything else is a mistake of ours."""


class UserError(Exception):
    """Something asked that cannot be done: it names the thing, its value and what was expected.

    The command line shows it as one line and ends with code 2, without a traceback. It treats an
    `OSError` the same way.
    """


def in_words(error: Exception) -> str:
    """An error of the user's, or of the system, in one line."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
