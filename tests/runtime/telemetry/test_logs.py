"""What is written to the log: one line for one happening, and nothing that does not belong there."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from runtime.telemetry.logs import about, formatter, logging_config, mention
from runtime.telemetry.tracing import continue_or_start, working_on


def record(message: str, *args: object, exc_info: object = None, **extra: object) -> logging.LogRecord:
    return logging.getLogger("a.name").makeRecord(
        "a.name", logging.INFO, "file", 1, message, args, exc_info, extra=extra
    )


def test_a_json_line_has_its_facts_and_the_request_it_belongs_to():
    trace = continue_or_start(None)
    with working_on(trace=trace, request_id="req-1"):
        line = json.loads(formatter("json").format(record("order %s", "placed", status=201)))

    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "a.name",
        "message": "order placed",
        "status": 201,
        "request_id": "req-1",
        "trace_id": trace.trace_id,
    }


def test_outside_of_a_request_there_is_no_id():
    assert "request_id" not in json.loads(formatter("json").format(record("x")))


def test_a_line_names_what_it_is_about_and_the_next_one_no_longer_does():
    with about(order_id="o-1"):
        mention(user_id="u-1")
        inside = json.loads(formatter("json").format(record("x", order_id="its own")))
    mention(user_id="nobody's")
    outside = json.loads(formatter("json").format(record("x")))

    assert (inside["order_id"], inside["user_id"]) == ("its own", "u-1")
    assert outside.keys() == {"timestamp", "level", "logger", "message"}


def test_no_fact_takes_the_place_of_who_wrote_the_line_and_when():
    line = json.loads(formatter("json").format(record("x", level="fatal", timestamp="never", logger="somebody")))

    assert (line["level"], line["logger"]) == ("info", "a.name")
    assert line["timestamp"].endswith("+00:00")


def test_a_console_line_is_for_people():
    line = formatter("console").format(record("order placed", status=201, principal=None))

    assert line.endswith(" INFO    a.name order placed status=201")


@pytest.mark.parametrize("formatter", [formatter("console"), formatter("json")])
def test_nobody_can_forge_a_line(formatter):
    line = formatter.format(record("user %s", "eve\n12:00 INFO a.name all is well\r\x1b[2J\u2028", name_="x\ny"))

    assert line.isprintable()


@pytest.mark.parametrize("formatter", [formatter("console"), formatter("json")])
def test_an_exception_comes_with_its_traceback(formatter):
    try:
        raise ValueError("the cause")
    except ValueError:
        line = formatter.format(record("failed", exc_info=sys.exc_info()))

    assert "Traceback" in line
    assert "the cause" in line


@pytest.mark.parametrize("formatter", [formatter("console"), formatter("json")])
def test_what_cannot_be_written_down_is_written_down_somehow(formatter):
    assert "object" in formatter.format(record("x", thing=object()))


def test_a_request_object_never_gets_into_a_line(rf):
    asked = rf.get("/?token=sesame", headers={"authorization": "Bearer sesame"})

    assert "sesame" not in formatter("json").format(record("x", request=asked, status_code=500))


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_row_that_an_error_of_the_database_quotes_stays_out_of_the_line(log_format):
    said = "duplicate key\nDETAIL:  Key (email)=(jane@example.com) already exists.\nCONTEXT: while it was busy"
    try:
        raise ValueError(said)
    except ValueError:
        line = formatter(log_format).format(record("failed: %s", said, exc_info=sys.exc_info()))

    assert "jane" not in line
    assert line.count("DETAIL: left out") == 2
    assert line.count("while it was busy") == 2


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_configuration_is_one_that_logging_takes(log_format):
    from logging.config import DictConfigurator

    config = logging_config(log_format)
    DictConfigurator(config).configure_formatter(config["formatters"]["line"])
    assert config["loggers"]["health_check"]["level"] == "CRITICAL"


def test_another_format_is_refused_with_its_name():
    with pytest.raises(ValueError, match="LOG_FORMAT='xml'"):
        logging_config("xml")
