"""What can go wrong, one class per exit code.

Every message says what failed, on what, and why, in lower case; the hint is a sentence that says what to type next.

    LiteshiftError        1  anything else that failed
    ├─ UsageError         2  the call itself is wrong
    ├─ LossesNotAccepted  3  done, or not begun, because of losses or rejects nobody accepted
    ├─ NotInitialised    10  there is nothing there yet to work on
    ├─ Locked            11  another run, or a writer, holds it
    ├─ NoConnection      12  no connection, or no permission
    ├─ NotFit            13  the source can't be moved as it is
    ├─ DifferencesFound  14  verify found differences
    ├─ NoSpace           15  the disk is full
    └─ Interrupted       16  stopped half way; what is there can be resumed or was removed
"""

from __future__ import annotations

BEGIN_ANEW = "Begin anew: liteshift abort, then liteshift migrate --live --overwrite."
"""The hint where a live move can't go on."""


class LiteshiftError(Exception):
    """A failure to tell the user about.

    Args:
        message: what failed, on what, and why; lower case, no full stop.
        hint: a sentence that says what to do or type next, if anything can be said.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LiteshiftError):
    """The call itself is wrong."""

    exit_code = 2


class LossesNotAccepted(LiteshiftError):
    """Something is lost or was rejected, and nobody has accepted that."""

    exit_code = 3


class NotInitialised(LiteshiftError):
    """There is nothing there yet to work on."""

    exit_code = 10


class Locked(LiteshiftError):
    """Another run, or a writer, holds what we need."""

    exit_code = 11


class NoConnection(LiteshiftError):
    """No connection, or no permission."""

    exit_code = 12


class NotFit(LiteshiftError):
    """The source can't be moved as it is."""

    exit_code = 13


class DifferencesFound(LiteshiftError):
    """Verify found differences."""

    exit_code = 14


class NoSpace(LiteshiftError):
    """The disk is full."""

    exit_code = 15


class Interrupted(LiteshiftError):
    """Stopped half way by the user or the system."""

    exit_code = 16
