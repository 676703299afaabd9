"""A letter that is owed is sent: later, again, and without telling anybody but whom it is for."""

from __future__ import annotations

import logging
import socket
import stat
from email import message_from_bytes, policy
from uuid import uuid4

import pytest
from django.db import connections

from apps.users import mail
from apps.users.models import Mail, MailToken
from apps.users.service import SERVICE
from tests.together import shift_clock, together
from tests.users.conftest import PASSWORD, token_in
from tests.users.mail_server import running

FOLDER = "apps.users.gateways.MailFolder"


@pytest.fixture
def server(settings):
    with running() as server:
        use(settings, server.port)
        yield server


def use(settings, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5


def owed() -> list[Mail]:
    return list(Mail.objects.using("users").order_by("created_at"))


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- Over SMTP ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_letter_goes_out_over_smtp_and_is_owed_no_more(server, ada, settings):
    settings.DEFAULT_FROM_EMAIL, settings.PUBLIC_URL = "Shop <orders@shop.example>", "https://shop.example"

    assert SERVICE.send_due_mail() is True
    assert SERVICE.send_due_mail() is False

    (letter,) = server.letters
    assert server.recipients == [ada.email]
    assert (letter["To"], letter["From"]) == (ada.email, "Shop <orders@shop.example>")
    assert letter["Message-ID"].endswith("@shop.example>")
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content_type() == "text/plain"
    assert "https://shop.example/api/users/verify-email#" in letter.get_content()
    assert owed() == []


@pytest.mark.django_db
def test_no_name_stands_in_a_letter_since_whoever_registers_chooses_it(server, person):
    person(name="Click http://evil.example to win")

    SERVICE.send_due_mail()

    assert "evil" not in server.letters[0].as_string()


@pytest.mark.django_db
def test_a_mail_server_that_is_down_costs_nothing_but_time(ada, settings):
    port = unused_port()
    use(settings, port)

    assert SERVICE.send_due_mail() is False
    (waiting,) = owed()
    assert (waiting.attempts, waiting.error, waiting.given_up_at) == (1, "ConnectionRefusedError", None)
    assert SERVICE.send_due_mail() is False
    assert owed()[0].attempts == 1

    with running(port) as server:
        shift_clock("users", "16 seconds")
        assert SERVICE.send_due_mail() is True
        assert server.recipients == [ada.email]
    assert owed() == []


@pytest.mark.django_db
def test_tries_are_never_more_than_fifteen_seconds_apart_however_many_there_were(ada, settings):
    use(settings, unused_port())
    Mail.objects.using("users").update(attempts=5000)

    SERVICE.send_due_mail()

    (waiting,) = owed()
    with connections["users"].cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM due_at - clock_now()) FROM users_mail")
        assert 0 < cursor.fetchone()[0] <= mail.LONGEST_WAIT
    assert waiting.attempts == 5001


@pytest.mark.django_db
@pytest.mark.parametrize("answer", ["450 try later", "421 too busy"])
def test_a_letter_that_is_refused_for_now_is_sent_later(server, ada, answer):
    server.answers = [answer, "250 ok"]

    SERVICE.send_due_mail()
    assert server.letters == []
    assert owed()[0].error == "SMTPRecipientsRefused"
    shift_clock("users", "16 seconds")
    SERVICE.send_due_mail()

    assert len(server.letters) == 1
    assert owed() == []


@pytest.mark.django_db
def test_a_letter_that_is_refused_for_good_is_given_up_and_seen(server, ada, caplog):
    server.answers = ["550 nobody here"]

    with caplog.at_level(logging.INFO):
        assert SERVICE.send_due_mail() is True

    (row,) = owed()
    assert row.given_up_at is not None
    assert row.error == "SMTPRecipientsRefused 550"
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "given up" in line.getMessage()
    shift_clock("users", "1 hour")
    assert SERVICE.send_due_mail() is False
    assert server.letters == []


@pytest.mark.django_db
def test_a_letter_that_was_given_up_is_sent_when_it_is_asked_for_again(server, ada):
    server.answers = ["550 nobody here", "250 ok"]
    SERVICE.send_due_mail()

    ada.client.post("/api/users/verify-email/resend")
    SERVICE.send_due_mail()

    assert server.recipients == [ada.email]
    assert owed() == []


@pytest.mark.django_db
def test_a_letter_is_given_up_after_a_day(ada, settings):
    use(settings, unused_port())
    shift_clock("users", "1 day 1 minute")

    SERVICE.send_due_mail()

    assert owed()[0].given_up_at is not None


@pytest.mark.django_db
def test_no_line_of_the_log_has_an_address_or_a_token(server, ada, caplog):
    server.answers = ["550 nobody here", "450 later", "250 ok"]
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            SERVICE.ask_for_password_reset(email=ada.email)
            Mail.objects.using("users").filter(kind=Mail.VERIFY_EMAIL).delete()
            SERVICE.send_due_mail()
            shift_clock("users", "1 hour")

    (letter,) = server.letters
    token = letter.get_content().partition("#")[2].split()[0]
    said = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert len(caplog.records) >= 2
    assert ada.email not in said
    assert token not in said


# --- One letter, once -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_letter_that_is_asked_for_three_times_while_it_waits_is_sent_once(ada, letters):
    letters()
    for _ in range(3):
        SERVICE.ask_for_password_reset(email=ada.email)

    assert [letter.to for letter in letters()] == [[ada.email]]


def test_of_several_senders_at_once_each_letter_has_one(committed, person, letters):
    emails = {person().email for _ in range(6)}

    taken = [row for row in together(*[mail.take_due] * 8) if row is not None]

    assert sorted(row.email for row in taken) == sorted(emails)


@pytest.mark.django_db
def test_a_sender_that_died_is_followed_by_another(ada, letters):
    assert mail.take_due() is not None
    assert letters() == []
    shift_clock("users", "61 seconds")

    assert [letter.to for letter in letters()] == [[ada.email]]


@pytest.mark.django_db
def test_an_account_that_was_not_opened_owes_no_letter(ada, letters, nobody):
    letters()
    assert nobody.post("/api/users", {"email": ada.email, "name": "x", "password": PASSWORD}).status_code == 409

    assert letters() == []


@pytest.mark.django_db
def test_nobody_who_was_imported_or_made_by_the_seed_gets_a_letter(letters):
    SERVICE.import_account(user_id=uuid4(), email="old@customers.example", name="Customer 1")
    SERVICE.ensure_operator(email="op@shop.example", password=PASSWORD)

    assert letters() == []


@pytest.mark.django_db
def test_no_token_is_kept_itself_neither_before_nor_after_its_letter(ada, letters):
    waiting = str([vars(row) for row in owed()])
    token = token_in(letters()[0])

    assert len(token) >= 43
    assert token not in waiting
    assert token not in str([vars(row) for row in MailToken.objects.using("users").all()])


# --- Into files -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(settings, tmp_path):
    settings.EMAIL_BACKEND, settings.MAIL_FOLDER = FOLDER, tmp_path / "mail"
    return settings.MAIL_FOLDER


@pytest.mark.django_db
def test_without_a_mail_server_a_letter_is_a_file_that_only_its_owner_reads(folder, ada):
    SERVICE.send_due_mail()

    (file,) = (folder / str(ada.id)).iterdir()
    letter = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert letter["To"] == ada.email
    assert "#" in letter.get_content()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file.parent, file)] == [0o700, 0o700, 0o600]
    assert str(ada.id) not in file.read_text()


@pytest.mark.django_db
def test_the_files_of_somebody_who_was_erased_are_removed_and_no_others(folder, ada, person):
    grace = person()
    while SERVICE.send_due_mail():
        pass
    SERVICE.erase(user_id=ada.id)

    SERVICE.prune_mail()

    assert [path.name for path in folder.iterdir()] == [str(grace.id)]


# --- Forgetting -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_was_mailed_long_ago_is_forgotten(server, ada, person):
    SERVICE.send_due_mail()
    server.answers = ["550 nobody here"]
    person()
    SERVICE.send_due_mail()
    SERVICE.prune_mail()
    assert (len(owed()), MailToken.objects.using("users").count()) == (1, 2)

    shift_clock("users", "7 days 1 minute")
    SERVICE.prune_mail()

    assert (len(owed()), MailToken.objects.using("users").count()) == (0, 0)
