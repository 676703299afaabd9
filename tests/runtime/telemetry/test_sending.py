"""Spans go to a collector or to the recent traces; nobody waits for it, and what is lost is said once a minute."""

from __future__ import annotations

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExportResult

from runtime.telemetry import sending, traces
from runtime.telemetry.spans import entering


class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Content-Type"], self.headers.get("x-tenant"), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def collector():
    server = HTTPServer(("127.0.0.1", 0), Collector)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_collector_gets_them_as_otlp_and_the_cache_does_not(anew, kept, collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop")
    anew(TRACES_ENDPOINT=f"http://127.0.0.1:{collector.server_port}/v1/traces")
    with entering("outer", traceparent=None, attributes={"order.itemCount": 2}):
        pass
    sending.flush()

    ((path, media_type, tenant, body),) = collector.asked
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (span,) = resource.scope_spans[0].spans
    assert (path, media_type, tenant) == ("/v1/traces", "application/x-protobuf", "shop")
    assert span.name == "outer"
    assert [(each.key, each.value.int_value) for each in span.attributes] == [("order.itemCount", 2)]
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "mitosis"
    assert traces.recent_traces() is None
    assert kept.latest(1) == []


def test_a_collector_that_is_down_costs_the_caller_nothing_and_one_line(anew, caplog, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    anew(TRACES_ENDPOINT="http://127.0.0.1:1/v1/traces")
    began = time.perf_counter()
    with caplog.at_level(logging.WARNING, logger="runtime.telemetry"):
        for _ in range(100):
            with entering("outer", traceparent=None):
                pass
        took = time.perf_counter() - began
        for _ in range(2):
            sending.flush()
            with entering("outer", traceparent=None):
                pass

    (line,) = [each for each in caplog.records if each.name == "runtime.telemetry.sending"]
    assert line.getMessage().startswith("the collector at http://127.0.0.1:1/v1/traces takes no spans")
    assert "100 were lost" in line.getMessage()
    # Far less than one try to reach it may take.
    assert took < 1.0


def test_more_than_fit_are_lost_and_memory_is_not(anew, monkeypatch):
    stuck = threading.Event()
    monkeypatch.setattr(traces.RecentTraces, "export", lambda self, spans: stuck.wait() and SpanExportResult.SUCCESS)
    anew()
    for _ in range(sending._WAITING + 1000):
        with entering("outer", traceparent=None):
            pass

    assert len(sending.processor()._batch_processor._queue) <= sending._WAITING
    stuck.set()


def test_without_anywhere_to_send_to_nothing_is_recorded(anew):
    anew(CACHE_URL=None)
    with entering("outer", traceparent=None) as outer:
        assert not outer.is_recording()

    assert sending.processor() is None


def test_the_end_of_a_process_waits_two_seconds_for_its_last_spans_and_no_longer(anew, monkeypatch):
    stuck = threading.Event()
    monkeypatch.setattr(traces.RecentTraces, "export", lambda self, spans: stuck.wait() and SpanExportResult.SUCCESS)
    monkeypatch.setattr(sending, "_LAST_WORDS", 0.1)
    anew()
    with entering("outer", traceparent=None):
        pass
    processor = sending.processor()
    began = time.monotonic()
    processor.shutdown()

    assert time.monotonic() - began < 10
    stuck.set()


def test_the_end_of_a_workers_child_sends_what_waits(recorded, kept):
    from celery.signals import worker_process_shutdown

    import config.celery  # noqa: F401 - connects what is tested

    with entering("outer", traceparent=None):
        pass
    worker_process_shutdown.send(sender=None, pid=1, exitcode=0)

    (trace_id,) = kept.latest(2)
    assert [span.name for span in kept.find(trace_id)] == ["outer"]
