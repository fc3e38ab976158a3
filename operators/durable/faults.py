"""What can be wrong with a state folder, each an error that its user can understand."""


class DurableError(OSError):
    """State that cannot be written, read or trusted: the file or folder and what is wrong."""


class DamagedError(DurableError):
    """A file of the state that is missing, torn or not what was written."""


class FencedError(DurableError):
    """Another run has taken the state over, so that this one may write no more."""
