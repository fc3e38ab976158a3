"""What goes wrong with an address."""

from typing import Final

ERRORS: Final = {
    "address": "no address of ours: another scheme, no host, too long",
    "private": "a host of which an address is private, or a file outside of the folders allowed",
    "unresolved": "a host that is not known",
    "unreachable": "no connection, or one that broke off",
    "slow": "took too long",
    "gone": "the server says that there is no such thing, or that we may not have it",
    "busy": "the server asks to come later, or fails",
    "refused": "any other answer of a server that is no media",
    "redirects": "too many redirects, or one that leads nowhere",
    "huge": "more bytes than are allowed",
    "encoded": "compressed in a way that was not asked for, or damaged",
    "robots": "a page that its host does not want to be read by programs",
    "page": "a page that names no media",
}
"""Every error class with its meaning."""


class FetchError(Exception):
    """An address that gives nothing: a class from `ERRORS`, and why, in words.

    `again_s`: after so many seconds it may be tried again; None: that would change nothing.
    """

    def __init__(self, kind: str, message: str, again_s: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.again_s = again_s
