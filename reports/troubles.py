"""What is the matter when the database does not take or give something, and what to do about it."""

from django.db import DatabaseError

OTHER_VERSION, LOCKED, NOT_WRITABLE, FULL, AWAY, OTHER = "version", "locked", "readonly", "full", "away", "other"

_MARKS = (
    (FULL, ("disk is full", "No space left on device", "disk full", "could not extend file")),
    (OTHER_VERSION, ("no such table", "no such column", "does not exist")),
    (LOCKED, ("is locked", "lock timeout", "deadlock detected")),
    (NOT_WRITABLE, ("readonly", "unable to open", "read-only")),
    (
        AWAY,
        (
            *("connection failed", "Connection refused", "server closed the connection", "terminating connection"),
            *("the connection is lost", "connection is closed", "starting up", "shutting down", "connection timeout"),
            "couldn't get a connection",
        ),
    ),
)


def kind(error: DatabaseError) -> str:
    """Which of the troubles above it is."""
    text = str(error)
    return next((found for found, marks in _MARKS if any(mark in text for mark in marks)), OTHER)


def sentence(error: DatabaseError) -> str:
    """A database error as a sentence that says what to do."""
    text = " ".join(str(error).split())[:300]
    match kind(error):
        case "version":
            return "The database is of another version of Roomledger. Run: manage.py migrate"
        case "locked":
            return "The database is locked by another process for too long. Try again in a moment."
        case "readonly":
            return f"The database cannot be written ({text}). Check the rights on DATA_DIR."
        case "full":
            return f"The disk is full ({text}). Make room and try again; what was imported is safe."
        case "away":
            return f"The database server cannot be reached ({text}). Check that it runs; what was imported is safe."
    return f"The database does not answer as it should: {text}. Check DATABASE_URL and that the server runs."
