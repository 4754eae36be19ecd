"""The catalogue of Simplified Chinese is whole, and what people read goes through it."""

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils import translation
from django.utils.translation.template import templatize

from dashboard import sentences

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "dashboard" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
WORD = re.compile(r"[A-Za-z]{2,}|\b[a-z]\b")
ONE, MANY, NAMED, NAMED_MANY = None, (1, 2), ((1, "c"), 2), ((1, "c"), 2, 3)
CALLS: dict[str, Any] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), ONE),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), MANY),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), NAMED),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), NAMED_MANY),
}

# (context, msgid): what tells two messages apart; a plural does not.
Key = tuple[str | None, str]


def templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.html"))


def modules(*packages: str) -> list[Path]:
    return sorted(file for package in packages for file in (ROOT / package).rglob("*.py") if "sandbox" not in str(file))


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def messages_of(source: str) -> Iterator[tuple[int, Key]]:
    """The line and the key of each message of some Python code."""
    for line, message, _comments, context in extract("python", io.BytesIO(source.encode()), keywords=CALLS):
        if message:
            yield line, (context, message if isinstance(message, str) else message[0])


def messages_of_template(source: str) -> Iterator[tuple[int, Key]]:
    """The same of a template."""
    code = templatize(source)
    # What is no message comes out as blanked words, whose indentation means nothing.
    return messages_of("\n".join(line.lstrip() for line in code.splitlines()))


def messages() -> dict[Key, str]:
    """Every message of the site, with a place where it stands."""
    found: dict[Key, str] = {}
    for file in templates():
        for line, key in messages_of_template(file.read_text(encoding="utf-8")):
            found.setdefault(key, f"{name(file)}:{line}")
    for file in modules("dashboard", "reports"):
        for line, key in messages_of(file.read_text(encoding="utf-8")):
            found.setdefault(key, f"{name(file)}:{line}")
    return found


def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def key_of(message: Message) -> Key:
    # The compiled file gives contexts back as bytes.
    context = message.context.decode() if isinstance(message.context, bytes) else message.context
    return context, message.id if isinstance(message.id, str) else message.id[0]


def forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


# The catalogue --------------------------------------------------------------------------------------------


def test_every_message_is_translated() -> None:
    known = {key_of(message): message for message in catalogue() if message.id}
    wrong = []
    for key, place in messages().items():
        message = known.get(key)
        if message is None or not all(forms(message)):
            wrong.append(f"{place}: {key[1]!r} has no translation")
        elif message.fuzzy:
            wrong.append(f"{place}: the translation of {key[1]!r} is only guessed")
    assert not wrong, "\n".join(wrong)


def test_no_message_of_the_catalogue_is_unused() -> None:
    found = catalogue()
    left = {key_of(message) for message in found if message.id} - set(messages())
    assert not left, left
    assert not found.obsolete


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}|<[^>]+>", text.replace("%%", "")))


def test_translations_have_the_placeholders_of_their_message() -> None:
    wrong = []
    for message in catalogue():
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        # A singular such as "The newest meeting" may leave out what its plural names.
        wanted = set().union(*(placeholders(text) for text in ids))
        wrong += [text for text in forms(message) if placeholders(text) != wanted]
    assert not wrong, "\n".join(wrong)


def test_the_catalogue_has_one_form_of_plurals_and_names_nobody() -> None:
    found = catalogue()
    assert found.num_plurals == 1
    assert found.charset == "utf-8"
    header = CATALOGUE.read_text(encoding="utf-8").partition("\n\n")[0]
    # No dates either: a new run would change the file although nothing else did.
    assert not re.search(r"@|Translator|Team|Date|fuzzy", header)
    assert not re.search(r"^#:", CATALOGUE.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_compiled_catalogue_is_what_the_catalogue_compiles_to() -> None:
    def texts(catalog: Catalog) -> dict[Key, list[str]]:
        return {key_of(message): forms(message) for message in catalog if message.id}

    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    assert texts(compiled) == texts(catalogue())


def test_django_finds_the_catalogue() -> None:
    assert [CATALOGUE.parents[2]] == list(settings.LOCALE_PATHS)
    with translation.override("zh-hans"):
        assert translation.gettext("Sign out") == "退出登录"
        assert translation.ngettext("%(count)s visit", "%(count)s visits", 1) == "%(count)s 条进出记录"


def test_chinese_is_written_in_chinese_punctuation() -> None:
    wrong = []
    for message in catalogue():
        for text in forms(message) if message.id else ():
            plain = re.sub(r"%\(\w+\)[a-z]|<[^>]+>", "", text)
            if re.search(r"[\u4e00-\u9fff]\s*[,;!?](?!\w)|[\u4e00-\u9fff][.:(]|[)][\u4e00-\u9fff]", plain):
                wrong.append(text)
            # A Latin word or a digit stands apart from the Chinese beside it.
            if re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", plain.replace("6分钟", "")):
                wrong.append(text)
    assert not wrong, "\n".join(wrong)


# Templates ------------------------------------------------------------------------------------------------

READ_ATTRIBUTES = {"title", "aria-label", "aria-description", "placeholder", "alt", "label"}
# Names that are the same in every language.
SAME_EVERYWHERE = {"Roomledger", "· Roomledger", "CSV"}
SILENT = {"script", "style", "kbd"}
COMMENTS = re.compile(r"{%\s*comment\s*%}.*?{%\s*endcomment\s*%}|{#.*?#}", re.DOTALL)
TRANSLATED = re.compile(r"{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}", re.DOTALL)
TAG = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
# Texts that a tag hands to a component, or shows itself.
HANDED = re.compile(r"\b(?:label|title|text|unit|hint|words|action_label|url_label)=(?P<q>[\"'])(?P<text>.*?)(?P=q)")
SHOWN = re.compile(r"\|\s*(?:default(?:_if_none)?|yesno|add):(?P<q>[\"'])(?P<text>.*?)(?P=q)")


@dataclass
class Reader(HTMLParser):
    """Collects what a reader, or a screen reader, gets to see of some HTML."""

    found: list[tuple[int, str]] = field(default_factory=list)
    silent: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in SILENT
        names = dict(attrs)
        button = tag == "button" or names.get("type") in {"submit", "button", "reset"}
        for attribute, value in attrs:
            if attribute in READ_ATTRIBUTES or (attribute == "value" and button and tag == "input"):
                self._add(value or "")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in SILENT

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self._add(data)

    def _add(self, text: str) -> None:
        if WORD.search(text):
            self.found.append((self.getpos()[0], " ".join(text.split())))


def bare(source: str) -> list[tuple[int, str]]:
    """Texts of a template that no translation reaches: (line, text)."""

    def blank(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n")

    source = COMMENTS.sub(blank, source)
    found = []
    for tag in TAG.finditer(source):
        body = tag[0]
        if re.match(r"{%\s*(translate|trans|blocktrans|blocktranslate|url|static|load)\b", body):
            continue
        line = source.count("\n", 0, tag.start()) + 1
        patterns = (SHOWN,) if body.startswith("{{") else (SHOWN, HANDED)
        for text in (match["text"] for pattern in patterns for match in pattern.finditer(body)):
            if WORD.search(text) and not set(text.split(",")) <= {"true", "false", ""}:
                found.append((line, text))
    reader = Reader()
    reader.feed(TAG.sub(blank, TRANSLATED.sub(blank, source)))
    reader.close()
    return sorted(one for one in found + reader.found if one[1] not in SAME_EVERYWHERE)


def test_templates_hold_no_text_outside_of_translations() -> None:
    wrong = [
        f"{name(file)}:{line}: {text}" for file in templates() for line, text in bare(file.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "source",
    [
        "<p>Good morning</p>",
        '<a title="Open it">{% translate "Open" %}</a>',
        '<input type="search" placeholder="Find">',
        '<input type="submit" value="Go on">',
        '{% include "components/card.html" with label=x unit="min" %}',
        '{{ name|default:"nobody" }}',
        "{% if x %}one{% else %}{{ y }}{% endif %}",
        "<span>{{ hours }} h</span>",
    ],
)
def test_a_bare_text_is_found(source: str) -> None:
    assert bare(source)


@pytest.mark.parametrize(
    "source",
    [
        '<p class="topic">{% translate "Good morning" %} · {{ name }}</p>',
        "<b>{% blocktranslate %}Good <i>morning</i>{% endblocktranslate %}</b>",
        '{# Good morning #}<input type="hidden" value="text">',
        '<kbd>Enter</kbd><a aria-pressed="{{ on|yesno:\'true,false\' }}" href="x">CSV</a>',
    ],
)
def test_what_is_translated_or_unread_is_not_taken_for_bare_text(source: str) -> None:
    assert bare(source) == []


# Python ---------------------------------------------------------------------------------------------------

# Functions and classes that are handed texts to read: the places and names of those arguments.
READ_ARGUMENTS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "BadFilter": ((2,), ("reason",)),
    "Spec": ((1, 3), ("label", "unit")),
    "Chip": ((0, 1), ("label", "value")),
    "chip": ((0,), ("label",)),
    "Card": ((), ("label", "unit", "hint", "change_hint")),
    "compared": ((1,), ("label", "unit", "hint")),
    "Chart": ((2, 3), ("title", "description")),
    "Table": ((1,), ("title",)),
    "Cell": ((0,), ("text", "note")),
    **{f"messages.{level}": ((1,), ("message",)) for level in ("debug", "info", "success", "warning", "error")},
    "_page": ((2,), ("wrong",)),
    "ValidationError": ((0,), ("message",)),
    "add_error": ((1,), ("error",)),
}


def unmarked(source: str) -> list[tuple[int, str]]:
    """Texts that people will read and that no translation reaches: (line, text)."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            places, names = READ_ARGUMENTS.get(called, READ_ARGUMENTS.get(called.rpartition(".")[2], ((), ())))
            handed = [node.args[place] for place in places if place < len(node.args)]
            handed += [keyword.value for keyword in node.keywords if keyword.arg in names]
            found += [(text.lineno, ast.unparse(text)) for one in handed for text in plain_texts(one)]
        elif isinstance(node, ast.Dict):
            labels = ("label", "unit", "title")
            found += [
                (value.lineno, ast.unparse(value))
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value in labels and plain_texts(value)
            ]
    return found


def plain_texts(node: ast.AST) -> list[ast.expr]:
    """Literals with words in them that an expression may give as they are."""
    match node:
        case ast.Constant(value=str(text)):
            return [node] if WORD.search(text) else []
        case ast.JoinedStr(values=parts):
            return [node] if any(plain_texts(part) for part in parts) else []
        case ast.IfExp():
            return plain_texts(node.body) + plain_texts(node.orelse)
        case ast.BinOp() | ast.BoolOp():
            values = node.values if isinstance(node, ast.BoolOp) else [node.left, node.right]
            return [text for value in values for text in plain_texts(value)]
        case _:
            return []


def test_python_hands_no_unmarked_text_to_a_page() -> None:
    wrong = [
        f"{name(file)}:{line}: {text}"
        for file in modules("dashboard")
        for line, text in unmarked(file.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        'raise BadFilter("q", value, "is wrong")',
        'filters.BadFilter("q", value, f"is wrong: {x}")',
        'messages.success(request, "Done.")',
        'Spec("room", "Room")',
        'cards.compared("x", "Meetings", 1, 2, shown, against)',
        'cards.compared("x", _("Meetings"), 1, 2, shown, against, unit="h")',
        'Cell("unknown room" if x else y)',
        'data = {"label": "used hours"}',
    ],
)
def test_an_unmarked_text_is_found(code: str) -> None:
    assert unmarked(code)


def test_models_name_their_choices_permissions_and_themselves_in_the_language_of_the_page() -> None:
    wrong = []
    for node in ast.walk(ast.parse((ROOT / "reports" / "models.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and any("TextChoices" in ast.unparse(base) for base in node.bases):
            for line in node.body:
                assert isinstance(line, ast.Assign)
                assert isinstance(line.value, ast.Tuple)
                wrong += [ast.unparse(text) for text in plain_texts(line.value.elts[1])]
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("models."):
            handed = [keyword.value for keyword in node.keywords if keyword.arg in {"verbose_name", "help_text"}]
            handed += node.args[:1] if "Field" in ast.unparse(node.func) else []
            wrong += [ast.unparse(text) for one in handed for text in plain_texts(one)]
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"verbose_name", "verbose_name_plural"}:
            wrong += [ast.unparse(text) for text in plain_texts(node.value)]
    assert not wrong, "\n".join(wrong)


def test_no_message_stands_inside_an_f_string() -> None:
    """The tools that collect messages do not look there."""
    wrong = [
        f"{name(file)}:{call.lineno}: {ast.unparse(call)}"
        for file in modules("dashboard", "reports")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in CALLS
        and any(isinstance(argument, ast.Constant) for argument in call.args)
    ]
    assert not wrong, "\n".join(wrong)


# Sentences that are kept in English -----------------------------------------------------------------------

# Where sentences on mail are written.
MAIL = [ROOT / "dashboard" / name for name in ("mailing.py", "budgets.py", "mail_reports.py", "context.py")]
SAID = {"UNSURE", "STOPPED", "BROKEN", "NOT_ANY_MORE", "FAILING", "NOTHING_RUNS", "ADVICE", "GIVE_AGAIN"}
ERRORS = {"Transient", "Denied", "Refused", "BadPayload", "StuckPaging", "NotConfigured"}
# What the expressions inside of them stand for; anything else is a number.
EXAMPLES = {
    "self._where": "api.example.com:443",
    "where": "api.example.com:443",
    "endpoint": "share/detail",
    "came": "3 of 5 records came.",
    "name": "status 503",
    "told": ": Busy. Come again",
    "reason": "it ends in the middle",
    "text": "NaN",
    "file": "answer.json",
    "error": "The answer is empty.",
    "error.strerror": "No such file or directory",
    "troubles.sentence(error)": "The database is locked by another process for too long. Try again in a moment.",
    "target[:150] or 'elsewhere'": "elsewhere",
    "warning": "Of meeting 1571106323 only the first of 3 pages of visits was delivered.",
    "record.field": "participants[3].join_time",
    "record.reason": "is missing",
    "error.field": "capacity",
    "error.reason": "is missing",
    "why": "is missing",
    "address": "a@example.com",
}
PARTLY = {
    "_answer(": "550 No. Never",
    "_clean(": "Connection refused",
    "_kind(": "a list",
    "_shown(": "'Tuesday'",
    "_innermost(": "Connection refused",
    "type(error)": "ValueError",
}


def example(node: ast.expr) -> str:
    """A text as it could come out of an expression."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(example(part.value if isinstance(part, ast.FormattedValue) else part) for part in parts)
        case _:
            code = ast.unparse(node)
            return EXAMPLES.get(code) or next((text for start, text in PARTLY.items() if code.startswith(start)), "42")


def kept_texts(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions whose text is written into the database, or is shown on every page."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=called), args=[text, *_]) if called in ERRORS:
                yield text
            case ast.Call(func=ast.Name(id="FieldError"), args=[_, text]):
                yield text
            case ast.Call(func=ast.Name(id="failure"), args=[_, text, *_]):
                yield text
            case ast.Call(func=ast.Attribute(value=ast.Name(id="notes" | "problems" | "warnings")), args=[text]):
                yield text
            case ast.Call(keywords=keywords) if "update" in ast.unparse(node.func):
                yield from (keyword.value for keyword in keywords if keyword.arg == "error")
            case ast.Assign(targets=[ast.Attribute(attr="error")], value=text):
                yield text
            case ast.Assign(targets=[ast.Name(id="short" | "tried" | "came")], value=text):
                yield from (part for part in ast.walk(text) if isinstance(part, ast.JoinedStr))
            case ast.Assign(
                targets=[ast.Tuple(elts=[_, ast.Attribute(attr="error")])], value=ast.Tuple(elts=[_, text])
            ):
                yield text
            case ast.Assign(targets=[ast.Subscript(value=ast.Attribute(attr="rejected_numbers"))], value=text):
                yield text
            case ast.AugAssign(target=ast.Name(id="problems"), value=ast.List(elts=[text])):
                yield text
            case ast.AugAssign(target=ast.Name(id="problems"), value=ast.ListComp(elt=text)):
                yield text
            case ast.Assign(targets=[ast.Name(id=called)], value=text) if called in SAID:
                yield text
            case ast.Call(
                func=ast.Attribute(value=ast.Constant(value=" "), attr="join"), args=[ast.GeneratorExp(elt=text)]
            ):
                yield text
            case ast.FunctionDef(name="problem" | "_reason" | "stopped_by" | "sentence"):
                yield from (line.value for line in ast.walk(node) if isinstance(line, ast.Return) and line.value)


def branches(node: ast.expr) -> list[ast.expr]:
    return [*branches(node.body), *branches(node.orelse)] if isinstance(node, ast.IfExp) else [node]


def kept() -> dict[str, str]:
    """An example of every text that is kept, with the place it comes from."""
    found: dict[str, str] = {}
    for file in [*modules("reports/provider", "reports/figures"), *(ROOT / "reports").glob("*.py"), LOAD, *MAIL]:
        for node in (
            text for kept in kept_texts(ast.parse(file.read_text(encoding="utf-8"))) for text in branches(kept)
        ):
            literal = [
                part for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if isinstance(node, ast.Constant | ast.JoinedStr) and any(part.value.strip() for part in literal):
                found.setdefault(example(node).strip(), f"{name(file)}:{node.lineno}")
    found |= dict.fromkeys(kinds(), "reports/provider/payloads.py: _kind()")
    return found


LOAD = ROOT / "reports" / "management" / "commands" / "load.py"


def kinds() -> list[str]:
    """What payloads.py calls the types of JSON."""
    tree = ast.parse((ROOT / "reports" / "provider" / "payloads.py").read_text(encoding="utf-8"))
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "_kind")
    body = [part for line in function.body for part in ast.walk(line)]
    return [part.value for part in body if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def test_every_kept_sentence_is_told_in_chinese() -> None:
    texts = kept()
    assert len(texts) > 60
    wrong = []
    with translation.override("zh-hans"):
        for text, place in texts.items():
            said = sentences.say(text)
            # The provider's own words stay as they are.
            rest = said.replace("Busy. Come again", "").replace("No. Never", "")
            if not CHINESE.search(said) or re.search(r"[a-z]+ [a-z]+", rest):
                wrong.append(f"{place}: {text!r} is told as {said!r}")
    assert not wrong, "\n".join(wrong)


# Words that are no literals of ours: the provider's, the system's and, in parts, those put together elsewhere.
NO_LITERALS = {
    "call-in",
    "call-out",
    "callback",
    "no connection",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "Name or service not known",
    "Temporary failure in name resolution",
    "No route to host",
    "Network is unreachable",
    "No such file or directory",
    "Permission denied",
    "Is a directory",
    "status %(number)s",
    "status %(number)s: %(told)s",
    "HTTP %(number)s: %(told)s",
    "%(count)s of an unknown number of records came.",
    "it ends in the middle",
    "elsewhere",
    # Written with its advice, and told without it too.
    "The provider does not accept our key (%(told)s).",
}


def test_every_known_sentence_is_still_written_somewhere() -> None:
    patterns = dict(sentences.PATTERNS)
    texts = list(kept())
    left = {
        msgid
        for msgid, pattern in patterns.items()
        if msgid not in NO_LITERALS and not any(pattern.fullmatch(text) for text in texts)
    }
    assert left == set()


def told(text: str) -> str:
    with translation.override("zh-hans"):
        return sentences.say(text)


def test_sentences_stay_as_they_are_in_english_and_where_nothing_fits() -> None:
    known = "The answer is empty."
    with translation.override("en"):
        assert sentences.say(known) == known
    for text in ("", "anything else", "会议室", "The answer is full."):
        assert told(text) == text


def test_several_sentences_are_each_told() -> None:
    first = "api.example.com:443 cannot be reached (Connection refused). Check UMEET_URL and the network."
    assert told(f"{first} It was tried 4 times.") == (
        "无法连接 api.example.com:443（连接被拒绝）。请检查 UMEET_URL 和网络。已尝试 4 次。"
    )
    short = "The provider announced 5 records and delivered {}."
    assert told(f"{short.format(3)} {short.format(4)}") == (
        "服务商公布 5 条记录，实际送达 3 条。服务商公布 5 条记录，实际送达 4 条。"
    )


def test_what_follows_a_known_sentence_stays() -> None:
    assert told("The answer is empty. Nobody knows why.") == "响应为空。Nobody knows why."
    # As when a long text was cut off.
    assert told("The answer is empty. It was tried 4 ti") == "响应为空。It was tried 4 ti"


def test_the_longer_of_two_sentences_that_begin_alike_is_told() -> None:
    assert told("The provider refuses the question (HTTP 404). Check UMEET_URL.") == (
        "服务商拒绝查询（HTTP 404）。请检查 UMEET_URL。"
    )
    assert told("The provider refuses the question (status 7: No. Never. Not once).") == (
        "服务商拒绝查询（状态码 7：No. Never. Not once）。"
    )


def test_a_field_and_what_is_wrong_with_it() -> None:
    assert told("participants[3].join_time is missing") == "participants[3].join_time：缺失"
    assert told("is an object, not a meeting number") == "值为对象，不是会议号"
    assert told("is 'x', not a meeting number") == "值为'x'，不是会议号"


def test_words_of_the_provider_never_take_long() -> None:
    import time

    for text in (
        "a: b. " * 400,
        "It was tried 4 times. " * 90,
        "The answer holds x" * 200,
        "(" * 2000,
        "x (HTTP 1: " * 200,
    ):
        started = time.perf_counter()
        told(text)
        assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-03-09", "2026年3月9日"),
        ("2026-03-09 – 2026-04-01", "2026年3月9日 – 2026年4月1日"),
        ("1571106323 …", "1571106323 …"),
        ("2026-03-09.json", "2026-03-09.json"),
        ("2026-02-31", "2026-02-31"),
        ("", ""),
    ],
)
def test_what_a_pull_asked_for(text: str, shown: str) -> None:
    with translation.override("zh-hans"):
        assert sentences.asked_for(text) == shown
