"""Mail over real SMTP: what arrives, what goes wrong and how it is told, and what cannot be smuggled in."""

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from dashboard import mailing
from dashboard.mailing import Letter, NotSent, Post
from dashboard.smtp import Unsure

HOSTILE = ["x\r\nBcc: evil@example.com", "x\nSubject: other", "x\x00y", "x\u2028y\u0085z", "\r\n.\r\nQUIT"]


def letter(**changes) -> Letter:
    plain = {
        "subject": "会议室 report",
        "text": "Text.\n.\nMore.\n",
        "html": "<p>Text</p>",
        "to": ["a@example.com"],
        "message_id": "<one@example.com>",
    }
    return Letter(**{**plain, **changes})


def send(one: Letter) -> str:
    with Post() as post:
        post.ready()
        return post.send(one)


def test_a_mail_arrives_as_it_was_written(post):
    raw = b"\xef\xbb\xbfa,b\r\n1,\xe4\xbc\x9a\r\n" + bytes(range(256))
    attached = [mailing.attachment("days_2026-03-01.csv", "text/csv", raw)]
    assert send(letter(attached=attached, headers={"List-Unsubscribe": "<https://x.example/>"})) == ""
    (mail,) = post.mails
    assert (mail.sender, mail.to) == ("roomledger@example.com", ("a@example.com",))
    assert mail.message["Subject"].strip() == "会议室 report"
    assert mail.message["Message-ID"] == "<one@example.com>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["From"] == "Roomledger <roomledger@example.com>"
    assert mail.part("text/plain").splitlines() == ["Text.", ".", "More."]
    assert mail.part("text/html").strip() == "<p>Text</p>"
    assert mail.attached == {"days_2026-03-01.csv": raw}


def test_one_connection_carries_many_mails(post):
    with Post() as one:
        for number in range(3):
            one.ready()
            one.send(letter(message_id=f"<{number}@example.com>"))
    assert len(post.mails) == 3
    assert sum(line.upper().startswith("EHLO") for line in post.said) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_makes_a_header_of_its_own(post, text):
    send(letter(subject=text))
    (mail,) = post.mails
    assert mail.message["Bcc"] is None
    assert len(mail.message.get_all("Subject")) == 1
    assert mail.to == ("a@example.com",)


@given(st.text())
def test_one_line_is_one_line(text):
    line = mailing.one_line(text)
    assert len(line.splitlines()) <= 1
    assert len(line) <= mailing.LONGEST_SUBJECT
    assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in line)


def test_addresses_as_people_paste_them():
    pasted = "a@example.com, <b@example.com>;c@example.com\n  A@Example.com，d@xn--fiq228c.example"
    assert mailing.read_addresses(pasted, 9) == [
        "a@example.com",
        "b@example.com",
        "c@example.com",
        "d@xn--fiq228c.example",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least one"),
        ("  ,; ", "at least one"),
        ("nobody", "nobody"),
        ("a@b", "a@b"),
        ('"a b"@example.com', "No e-mail"),
        ('"a\x01b"@example.com', "No e-mail"),
        ("a@example.com\r\nBcc:evil@example.com", "Bcc:evil"),
        ("a@example.com,b@example.com,c@example.com", "too many"),
        (f"{'a' * 250}@example.com", "No e-mail"),
    ],
)
def test_what_is_no_address_is_named(text, why):
    with pytest.raises(ValidationError, match=why):
        mailing.read_addresses(text, 2)


@given(st.text())
def test_no_address_holds_what_would_end_a_line(text):
    try:
        found = mailing.read_addresses(text, 50)
    except ValidationError:
        return
    assert all(address.isprintable() and " " not in address for address in found)


# What goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "why", "for_good"),
    [
        (
            {"MAIL": "550 no relay for you"},
            "does not take mail from this sender (550 no relay for you). Check",
            False,
        ),
        ({"RCPT": "550 nobody here"}, "does not take mail to a@example.com (550 nobody here)", True),
        ({"RCPT": "450 come again"}, "does not take mail to a@example.com (450 come again)", False),
        ({"DATA": "451 busy"}, "does not take the mail (451 busy)", False),
        ({".": "554 looks like spam"}, "does not take the mail (554 looks like spam)", False),
    ],
)
def test_a_mail_that_is_refused(post, answers, why, for_good):
    post.answers = answers
    with pytest.raises(NotSent) as caught:
        send(letter())
    assert why in str(caught.value)
    assert caught.value.for_good is for_good
    assert caught.value.unreachable is False
    assert post.mails == []


def test_who_is_refused_beside_others_is_named(post):
    post.answers = {"RCPT TO:<b@": "550 nobody here"}
    told = send(letter(to=["a@example.com", "b@example.com"]))
    assert told == "The mail server does not take mail to b@example.com (550 nobody here)."
    assert post.mails[0].to == ("a@example.com",)


@pytest.mark.parametrize("cut", ["MAIL", "RCPT", "DATA"])
def test_a_connection_that_ends_before_the_mail_is_handed_over(post, cut):
    post.drops = {cut}
    with pytest.raises(NotSent, match="ended the connection"):
        send(letter())


def test_a_server_that_falls_silent_after_the_mail_leaves_it_open(post):
    post.drops = {"."}
    with pytest.raises(Unsure):
        send(letter())
    assert len(post.mails) == 1


def test_a_failure_does_not_spoil_the_next_mail(post):
    with Post() as one:
        one.ready()
        post.drops = {"DATA"}
        with pytest.raises(NotSent):
            one.send(letter())
        post.drops = set()
        one.ready()
        one.send(letter())
    assert len(post.mails) == 1


def test_a_server_that_is_not_there(post, settings):
    settings.EMAIL_PORT = 9
    with pytest.raises(NotSent, match=r"127.0.0.1:9 cannot be reached \(Connection refused\)") as caught:
        send(letter())
    assert caught.value.unreachable is True


def test_a_server_that_says_nothing(post, settings):
    settings.EMAIL_TIMEOUT = 0.2
    post.answers = {"EHLO": ""}
    with pytest.raises(NotSent, match=r"did not answer within|ended the connection"):
        send(letter())


def test_the_password_is_told_to_nobody(post):
    import base64

    user, password = "mailer", "hunter2-secret"
    whole = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    post.answers = {"AUTH": f"535 {password} {whole} {base64.b64encode(password.encode()).decode()} is wrong"}
    with (
        override_settings(EMAIL_HOST_USER=user, EMAIL_HOST_PASSWORD=password),
        pytest.raises(NotSent, match="does not accept the user name and password") as caught,
    ):
        send(letter())
    assert any(whole in line for line in post.said), "the server was given no password"
    told = str(caught.value)
    assert "535 *** *** *** is wrong" in told
    assert password not in told
    assert caught.value.__suppress_context__


def test_the_same_mail_has_the_same_id_on_this_installation_only(settings):
    settings.SITE_URL = "https://rooms.example.com/"
    first = mailing.message_id("budget", 1, "2026-03", 80)
    assert first == mailing.message_id("budget", 1, "2026-03", 80)
    assert first != mailing.message_id("budget", 1, "2026-03", 100)
    assert first.endswith("@rooms.example.com>")
    settings.SECRET_KEY = "another" * 10
    assert first != mailing.message_id("budget", 1, "2026-03", 80)
