"""What the ledger has written down in English, told in the language of the page.

Errors, warnings and notes are kept as whole English sentences: a log, a terminal and a database have one
language. Here each of them is known by its pattern, and is translated when it is shown.
"""

import re
from datetime import date
from functools import lru_cache

from django.utils.formats import date_format
from django.utils.translation import get_language, gettext, gettext_noop

# What a placeholder stands for. told: words that are translated in turn where they are known; known: words
# that have to be known, or else the pattern does not fit.
SHAPES = {
    **dict.fromkeys(("number", "other_number", "count", "total", "line", "column"), r"\d+"),
    "seconds": r"[\d.e+]+",
    "where": r"\S+",
    "endpoint": r"share/\w+",
    "field": r"[\w.\[\]]+",
}
ANYTHING = ".+?"
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
SENTENCE_ENDS = re.compile(r"(?<=[.?])\s+")
# One of ours has three full stops at most; the provider's words within it may have some more.
LONGEST = 12
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

SENTENCES = (
    # Whether anything can be pulled at all.
    gettext_noop(
        "UMEET_API_KEY and UMEET_API_SECRET are not set, and the set-up page was given none. Finish the set-up in the "
        "browser, or set both."
    ),
    gettext_noop("%(told)s is not set. Set it, or unset the other and give both on the set-up page."),
    gettext_noop(
        "The key of the API was kept under another SECRET_KEY and cannot be read. Give it again at /setup/key/."
    ),
    gettext_noop("The last pulls did not go well. An administrator sees why."),
    gettext_noop("Interrupted by hand. What was imported stays."),
    gettext_noop("The database did not take it: %(told)s It is tried again."),
    gettext_noop("The database did not let it be closed."),
    gettext_noop("The database is of another version of Roomledger. Run: manage.py migrate"),
    gettext_noop("The disk is full (%(text)s). Make room and try again; what was imported is safe."),
    gettext_noop("The database is locked by another process for too long. Try again in a moment."),
    gettext_noop("The database server cannot be reached (%(text)s). Check that it runs; what was imported is safe."),
    gettext_noop("The database cannot be written (%(text)s). Check the rights on DATA_DIR."),
    gettext_noop("The database does not answer as it should: %(text)s. Check DATABASE_URL and that the server runs."),
    gettext_noop("The worker was stopped. What was imported stays; the rest is asked for again."),
    gettext_noop("No pull has ended well since %(text)s. %(told)s"),
    gettext_noop(
        "No pull fails, none is made either: the worker does not run. Start it with: manage.py start, or see the log."
    ),
    gettext_noop("Stopped by an error of the program (%(text)s); its log tells more."),
    gettext_noop("The worker stopped in the middle. What was imported stays; the rest is asked for again."),
    # The way to the provider.
    gettext_noop("%(where)s took more than %(seconds)s seconds for one answer."),
    gettext_noop("The proxy on the way to %(where)s does not let us through. Check HTTPS_PROXY and HTTP_PROXY."),
    gettext_noop(
        "%(where)s has no certificate that can be trusted (%(told)s). Check UMEET_URL and the clock of this computer."
    ),
    gettext_noop("%(where)s cannot be reached (%(told)s). Check UMEET_URL and the network."),
    gettext_noop("%(where)s did not take the connection in time. Check UMEET_URL and the network."),
    gettext_noop("%(where)s did not answer within %(seconds)s seconds."),
    gettext_noop("%(where)s cannot be asked. Check UMEET_URL, HTTPS_PROXY and REQUESTS_CA_BUNDLE."),
    gettext_noop("The answer of %(where)s was cut off on the way."),
    gettext_noop("It was tried %(count)s times."),
    # What the provider says.
    gettext_noop("The provider is throttling us (%(told)s). It is asked again later."),
    gettext_noop("The provider has a fault of its own (%(told)s). It is asked again later."),
    gettext_noop("The provider did not take the question in time (%(told)s). It is asked again later."),
    gettext_noop("The provider does not accept our key (%(told)s)."),
    gettext_noop("Check UMEET_API_KEY and UMEET_API_SECRET."),
    gettext_noop("Check the key and the secret in your account, and give both again at /setup/key/."),
    gettext_noop("The provider refuses the question (%(told)s)."),
    gettext_noop("The provider refuses the question (%(told)s). Check UMEET_URL."),
    gettext_noop("status %(number)s"),
    gettext_noop("status %(number)s: %(told)s"),
    gettext_noop("HTTP %(number)s: %(told)s"),
    gettext_noop("it redirects to %(told)s"),
    gettext_noop("elsewhere"),
    # A whole answer.
    gettext_noop("The answer is larger than %(count)s bytes and was not read to its end."),
    gettext_noop("The answer is not packed the way it says."),
    gettext_noop("The answer is no UTF-8 text (byte %(number)s)."),
    gettext_noop("The answer is HTML, not JSON: is there a proxy or a sign-in page in between?"),
    gettext_noop("The answer is empty."),
    gettext_noop("The answer is not valid JSON: %(told)s (line %(line)s, column %(column)s)."),
    gettext_noop("it ends in the middle"),
    gettext_noop("The answer is %(told)s, not an object with status, message and data."),
    gettext_noop("The answer has no status."),
    gettext_noop("The answer's status is no number."),
    gettext_noop("The answer's data is %(told)s, neither an object nor an array."),
    gettext_noop("The answer's data has neither meetings nor paging fields."),
    gettext_noop("The answer's meetings are %(told)s, not a list."),
    # The licence.
    gettext_noop("The size of the pool could not be asked for."),
    gettext_noop("The licence cannot be read: %(field)s %(known)s."),
    gettext_noop("has %(text)s, not a number of seats"),
    gettext_noop("has %(text)s, not a number of rooms"),
    gettext_noop("has the size %(count)s twice"),
    gettext_noop("is %(text)s, not a date such as 2017-08-31"),
    gettext_noop("The answer holds no totals: its data has no list of rooms."),
    gettext_noop("The provider's totals cannot be read: %(field)s %(known)s."),
    # Its pages.
    gettext_noop(
        "%(endpoint)s: the provider was asked for page %(number)s and answered page %(other_number)s; %(told)s"
    ),
    gettext_noop(
        "%(endpoint)s: page %(number)s of the provider's answer brought nothing new but promises more; %(told)s"
    ),
    gettext_noop("%(endpoint)s: the provider's answer has no end after %(count)s pages."),
    gettext_noop("%(count)s of %(total)s records came."),
    gettext_noop("%(count)s of an unknown number of records came."),
    gettext_noop("The provider announced %(total)s records and delivered %(count)s."),
    gettext_noop("The provider promised more records, and page %(number)s was empty."),
    gettext_noop("Of meeting %(text)s only the first of %(count)s pages of visits was delivered."),
    # One record.
    gettext_noop("is missing"),
    gettext_noop("cannot be read (%(text)s)"),
    gettext_noop("is %(told)s, not an object"),
    gettext_noop("is %(told)s, not a list"),
    gettext_noop("is %(told)s, not a text"),
    gettext_noop("is longer than %(count)s characters"),
    gettext_noop("is %(text)s with a character that no id has"),
    gettext_noop("is %(told)s, not a meeting number"),
    gettext_noop("is %(text)s, not a number of people"),
    gettext_noop("is %(text)s, not a time such as 2017-08-31 00:00:00"),
    gettext_noop("is %(text)s, not a duration such as 120, 6分钟 or 03:55:08"),
    gettext_noop("is %(text)s, not an amount of money such as 0.12"),
    gettext_noop("is %(text)s, which has more than %(count)s decimal places"),
    gettext_noop("is %(text)s, neither 0 nor 1"),
    gettext_noop("is %(text)s, not a whole number"),
    gettext_noop("is %(text)s, not a number of minutes"),
    gettext_noop("an object"),
    gettext_noop("a list"),
    gettext_noop("a text"),
    gettext_noop("true or false"),
    gettext_noop("null"),
    gettext_noop("a number"),
    # What changed in a meeting's report.
    gettext_noop("The provider reports no visits any more; those reported before are kept."),
    gettext_noop("The provider reports no calls any more; those reported before are kept."),
    # The directions of a call, as the provider names them.
    gettext_noop("call-in"),
    gettext_noop("call-out"),
    gettext_noop("callback"),
    # The way of a mail.
    gettext_noop("The mail server %(where)s cannot be reached (%(told)s). Check EMAIL_URL and the network."),
    gettext_noop("The mail server %(where)s did not answer within %(seconds)s seconds."),
    gettext_noop("The mail server %(where)s cannot be spoken to in TLS (%(told)s). Check EMAIL_URL."),
    gettext_noop("The mail server %(where)s does not offer what EMAIL_URL asks for (%(told)s)."),
    gettext_noop("The mail server %(where)s does not accept the user name and password (%(told)s). Check EMAIL_URL."),
    gettext_noop("The mail server %(where)s does not take mail from this sender (%(told)s). Check EMAIL_FROM."),
    gettext_noop("The mail server does not take mail to %(text)s (%(told)s)."),
    gettext_noop("The mail server %(where)s does not take the mail (%(told)s)."),
    gettext_noop("The mail server %(where)s ended the connection."),
    gettext_noop(
        "The mail server had the whole mail and did not answer: it may have arrived or not. Ask its readers, and send "
        "it again if it did not."
    ),
    gettext_noop(
        "The worker stopped while it sent this mail: it may have arrived or not. Ask its readers, and send it again if "
        "it did not."
    ),
    gettext_noop(
        "The account that set this report up may not send mail any more, so that nothing was sent. Ask an "
        "administrator."
    ),
    gettext_noop(
        "The view cannot be opened any more, so that nothing was sent. Open it to see why, and make the report anew."
    ),
    # A saved answer, and what the system says of files and connections.
    gettext_noop("%(text)s cannot be read: %(told)s."),
    gettext_noop("%(text)s cannot be imported: %(known)s"),
    gettext_noop("no connection"),
    gettext_noop("Connection refused"),
    gettext_noop("Connection reset by peer"),
    gettext_noop("Connection timed out"),
    gettext_noop("Name or service not known"),
    gettext_noop("Temporary failure in name resolution"),
    gettext_noop("No route to host"),
    gettext_noop("Network is unreachable"),
    gettext_noop("No such file or directory"),
    gettext_noop("Permission denied"),
    gettext_noop("Is a directory"),
    # The most general ones come last: a field or a file, and what is wrong with it.
    gettext_noop("%(field)s %(known)s"),
    gettext_noop("%(text)s: %(known)s"),
)


def _pattern(msgid: str) -> re.Pattern[str]:
    pieces = PLACEHOLDER.split(msgid)
    # Every second piece is the name of a placeholder.
    shaped = (
        f"(?P<{piece}>{SHAPES.get(piece, ANYTHING)})" if place % 2 else re.escape(piece)
        for place, piece in enumerate(pieces)
    )
    return re.compile("".join(shaped), re.DOTALL)


PATTERNS = tuple((msgid, _pattern(msgid)) for msgid in SENTENCES)
GENERAL = 2


def say(text: str) -> str:
    """A text of the ledger in the language of the page; what is not known of it stays as it is.

    Several sentences may follow one another: each of them is looked up.
    """
    if not text or not (get_language() or "en").startswith("zh"):
        return text
    return _said(text, get_language() or "")


@lru_cache(maxsize=1000)  # the same few sentences stand on every page
def _said(text: str, language: str) -> str:
    cuts = [0, *(found.end() for found in SENTENCE_ENDS.finditer(text)), len(text)]
    # Of the text up to each cut: its translation, as far as it is made of known sentences.
    told: list[str | None] = ["", *([None] * (len(cuts) - 1))]
    for place, before in enumerate(told):
        if before is None:
            continue
        for end in range(place + 1, min(place + 1 + LONGEST, len(cuts))):
            one = _one(text[cuts[place] : cuts[end]].rstrip())
            if one is not None:
                # Later ones win: many short sentences rather than one whose placeholder swallows the others.
                told[end] = _joined(before, one)
    last = max(place for place, said in enumerate(told) if said is not None)
    # The end may be cut off, or somebody else's.
    return _joined(told[last] or "", text[cuts[last] :])


def _one(text: str, general: bool = True) -> str | None:
    """One known sentence or part of one, translated; None for any other. general: try the most general ones too."""
    for msgid, pattern in PATTERNS if general else PATTERNS[:-GENERAL]:
        found = pattern.fullmatch(text)
        if found is None:
            continue
        words = found.groupdict()
        if "told" in words:
            words["told"] = _one(words["told"], general=False) or words["told"]
        if "known" in words:
            known = _one(words["known"], general=False)
            if known is None:
                continue
            words["known"] = known
        return gettext(msgid) % words
    return None


def _joined(head: str, tail: str) -> str:
    # A Chinese full stop brings its own blank along.
    return f"{head}{tail}" if not head or not tail or head.endswith("。") else f"{head} {tail}"


def asked_for(text: str) -> str:
    """What a pull asked for: a day, or the first and the last of some, as the language writes them; else the text."""
    found = []
    for part in text.split(" – "):
        if not DAY.fullmatch(part):
            return text
        try:
            found.append(date_format(date.fromisoformat(part), "DATE_FORMAT"))
        except ValueError:
            return text
    return " – ".join(found)
