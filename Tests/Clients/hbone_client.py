"""Calls through HBONE: one TLS connection with a workload's certificate, CONNECT streams on it, HTTP/1.1 inside of each.

    hbone_client.py call --target 127.0.0.1:15008 --cert c --key k --ca ca --authority cart.shop:80 --host cart.shop
    hbone_client.py keep …      one stream, a request every 100 ms until it is ended
    hbone_client.py streams …   many streams at once, a request on each
    hbone_client.py reset …     streams that are opened and reset, then one that must be answered
    hbone_client.py stall …     streams whose answers nobody reads, then one that must be answered
    hbone_client.py plain …     a request that is no CONNECT
"""

import argparse
import socket
import ssl
import time

import h2.events
import h2.settings

from hbone_link import context, identity, serial
from http2_link import Gone, Link
from report import fail, say

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("what", choices=["call", "keep", "streams", "reset", "stall", "plain"])
arguments.add_argument("--target", required=True)
arguments.add_argument("--cert")
arguments.add_argument("--key")
arguments.add_argument("--ca", required=True)
arguments.add_argument("--authority", default="")
arguments.add_argument("--host", default="")
arguments.add_argument("--path", default="/")
arguments.add_argument("--count", type=int, default=1)
arguments.add_argument("--field", action="append", default=[], help="NAME=VALUE of the CONNECT")
arguments.add_argument("--raw", help="octets in place of a request")
arguments.add_argument("--octets", help="any octets in place of a request, in hexadecimal")
options = arguments.parse_args()
sent = bytes.fromhex(options.octets) if options.octets else options.raw.encode() if options.raw else None

host, _, port = options.target.rpartition(":")
try:
    plain = socket.create_connection((host, int(port)), timeout=20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    secure = context(False, options.cert, options.key, options.ca).wrap_socket(plain)
    say("tls", secure.version(), secure.selected_alpn_protocol() or "-")
    say("peer", identity(secure))
    say("serial", serial(secure))
    link = Link(secure, client=True)
    link.start()
    # A refusal of the certificate comes after a client's own handshake is over (TLS 1.3): with the first read.
    while not link.settled:
        link.next()
except (OSError, ssl.SSLError, Gone) as error:
    say("refused", error)
    raise SystemExit(0)


def connect():
    stream = link.h2.get_next_available_stream_id()
    fields = [(":method", "CONNECT"), (":authority", options.authority)]
    fields += [tuple(field.split("=", 1)) for field in options.field]
    link.h2.send_headers(stream, fields)
    return stream


def request():
    if sent:
        return sent
    return f"GET {options.path} HTTP/1.1\r\nHost: {options.host or options.authority}\r\n\r\n".encode()


class Calls:
    """What is known of each stream."""

    def __init__(self):
        self.answers, self.ended = {}, set()
        self.octets = {}

    def take(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            self.answers[event.stream_id] = dict(event.headers).get(":status")
        elif isinstance(event, h2.events.DataReceived):
            self.octets[event.stream_id] = self.octets.get(event.stream_id, b"") + event.data
        elif isinstance(event, h2.events.StreamReset):
            self.answers.setdefault(event.stream_id, f"reset-{int(event.error_code)}")
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(event.stream_id)

    def wait(self, done):
        while not done():
            self.take(link.next())

    def answered(self, stream):
        """A whole response of HTTP/1.1 with a length, or the stream's end."""
        if stream in self.ended:
            return True
        octets = self.octets.get(stream, b"")
        if sent and not sent.startswith(b"GET "):
            return len(octets) > 0
        head, found, body = octets.partition(b"\r\n\r\n")
        if not found:
            return False
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return len(body) >= int(value)
        return False


def one(calls, tell=True):
    stream = connect()
    link.flush()
    calls.wait(lambda: stream in calls.answers)
    status = calls.answers[stream]
    if tell:
        say("connect", status)
    if status == "200":
        link.send(stream, request())
        calls.wait(lambda: calls.answered(stream))
        if tell:
            for line in calls.octets.get(stream, b"").decode("utf-8", "backslashreplace").replace("\r", "").split("\n"):
                if line:
                    say("line", line)
    return stream


calls = Calls()
try:
    if options.what == "call":
        one(calls)
        say("done")
    elif options.what == "plain":
        stream = link.h2.get_next_available_stream_id()
        link.h2.send_headers(
            stream,
            [(":method", "GET"), (":scheme", "https"), (":authority", options.host or "a"), (":path", "/")],
            end_stream=True)
        link.flush()
        calls.wait(lambda: stream in calls.answers)
        say("answer", calls.answers[stream])
    elif options.what == "keep":
        stream = one(calls, tell=False)
        say("connect", calls.answers[stream])
        number = 0
        while True:
            number += 1
            say("answered", number)
            calls.octets[stream] = b""
            time.sleep(0.1)
            link.send(stream, request())
            calls.wait(lambda: calls.answered(stream))
            if stream in calls.ended:
                say("ended", number)
                break
    elif options.what == "streams":
        streams = [connect() for _ in range(options.count)]
        link.flush()
        calls.wait(lambda: all(stream in calls.answers for stream in streams))
        open_streams = [stream for stream in streams if calls.answers[stream] == "200"]
        say("opened", len(open_streams))
        for stream in open_streams:
            link.send(stream, request())
        calls.wait(lambda: all(calls.answered(stream) for stream in open_streams))
        good = sum(calls.octets.get(stream, b"").startswith(b"HTTP/1.1 200") for stream in open_streams)
        say("answered", good)
    elif options.what == "reset":
        for _ in range(options.count):
            stream = connect()
            link.h2.reset_stream(stream, 8)
            link.flush()
        one(calls)
        say("done")
    elif options.what == "stall":
        # These streams are given no window back; the connection, which others use, too, is.
        link.h2.acknowledge_received_data = lambda size, stream: link.h2.increment_flow_control_window(size)
        for _ in range(options.count):
            stream = connect()
            link.flush()
            calls.wait(lambda: stream in calls.answers)
            link.send(stream, request())
        say("stalled", options.count)
        del link.h2.acknowledge_received_data
        options.path = "/"
        one(calls)
        say("done")
except (Gone, OSError) as error:
    fail(f"{error}")
