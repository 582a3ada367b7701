#!/usr/bin/env python3
"""A WebSocket client that sends messages and waits for an answer to each.

With --http 1 the opening is RFC 6455's, by the `websockets` package; with --http 2 it is RFC 8441's extended CONNECT, and
the frames travel in DATA of the `h2` package.

Prints `tls VERSION CIPHER ALPN` over TLS, `opened SUBPROTOCOL`, `message TEXT`…, `sent N` and `close CODE REASON`; for an
opening that was refused, `refused STATUS` and `body TEXT`; `note TEXT` for what the peer did that nobody needs.
"""

import argparse
import os
import sys
import time

import h2.events
import h2.exceptions
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.sync.client import connect as connect_http1

from http2_link import Gone, Link, connect, relayed
from report import fail, pattern, say, shown


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--http", choices=("1", "2"), default="1")
    parser.add_argument("--path", default="/")
    parser.add_argument("--host", help="Host, :authority and SNI (default: the target)")
    parser.add_argument("--tls", metavar="CA", help="a PEM file with the roots to trust; without it: clear text")
    parser.add_argument("--field", action="append", default=[], metavar="'K: V'")
    parser.add_argument("--subprotocol", action="append", default=[])
    parser.add_argument("--message", action="append", metavar="TEXT")
    parser.add_argument("--size", type=int, help="one binary message of so many octets, instead of --message")
    parser.add_argument("--count", type=int, default=1, help="the messages, so many times over")
    parser.add_argument("--pause", type=float, default=0, help="seconds before each message after the first")
    parser.add_argument("--until", metavar="FILE", help="go on with the messages until FILE exists")
    parser.add_argument("--linger", action="store_true", help="do not close: wait for the peer's close")
    return parser.parse_args()


def messages(options):
    texts = [pattern(options.size)] if options.size is not None else options.message or ["hello"]
    sent = 0
    while sent < options.count * len(texts) or (options.until and not os.path.exists(options.until)):
        if sent:
            time.sleep(options.pause)
        yield texts[sent % len(texts)]
        sent += 1
    say("sent", sent)


def told(message):
    say("message", shown(message if isinstance(message, bytes) else message.encode()))


def over_http1(options):
    named = options.host or options.target
    # The socket is ours and its TLS is done, so the package is told of none: the opening says the same either way.
    link = connect(options.target, options.tls, named.split(":")[0], ("http/1.1",))
    link = relayed(link) if options.tls else link
    try:
        with connect_http1(
            f"ws://{named}{options.path}", sock=link, proxy=None, max_size=None, compression=None,
            additional_headers=[tuple(f.split(": ", 1)) for f in options.field],
            subprotocols=options.subprotocol or None, open_timeout=10, close_timeout=10,
        ) as peer:
            say("opened", peer.subprotocol or "-")
            try:
                for message in messages(options):
                    peer.send(message)
                    told(peer.recv(timeout=30))
                if options.linger:
                    while True:
                        told(peer.recv())
                peer.close(1000, "done")
            except ConnectionClosed:
                pass
        say("close", peer.close_code, peer.close_reason or "")
    except InvalidStatus as refusal:
        say("refused", refusal.response.status_code)
        say("body", shown(refusal.response.body or b""))


def over_http2(options):
    named = options.host or options.target
    link = Link(connect(options.target, options.tls, named.split(":")[0], ("h2",)), client=True)
    link.start()
    while not link.settled:
        link.next()
    if not link.h2.remote_settings.enable_connect_protocol:
        fail("the peer's SETTINGS do not enable extended CONNECT")
    head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https" if options.tls else "http"),
            (":path", options.path), (":authority", named), ("sec-websocket-version", "13")]
    if options.subprotocol:
        head.append(("sec-websocket-protocol", ", ".join(options.subprotocol)))
    head += [(name.lower(), value) for name, value in (f.split(": ", 1) for f in options.field)]
    stream = link.h2.get_next_available_stream_id()
    link.h2.send_headers(stream, head)
    link.flush()
    tunnel = Tunnel(link, stream)
    fields = tunnel.opening()
    if fields[":status"] != "200":
        say("refused", fields[":status"])
        say("body", shown(tunnel.rest()))
        return
    say("opened", fields.get("sec-websocket-protocol", "-"))
    if "sec-websocket-accept" in fields:
        say("note", "an answer to extended CONNECT has no use for sec-websocket-accept (RFC 8441, section 5)")
    try:
        for message in messages(options):
            tunnel.say(message)
            told(tunnel.hear())
        if options.linger:
            while True:
                told(tunnel.hear())
        tunnel.close()
    except EOFError:
        pass
    closing = tunnel.frames.close_rcvd
    say("close", *((closing.code, closing.reason) if closing else (1006, "")))


class Tunnel:
    """WebSocket frames in one stream's DATA."""

    def __init__(self, link, stream):
        self.link, self.stream = link, stream
        self.frames = Protocol(Side.CLIENT, state=OPEN, max_size=None)
        self.ended = False

    def opening(self):
        while True:
            event = self.link.next()
            if isinstance(event, h2.events.ResponseReceived):
                return dict(event.headers)
            if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise Gone(f"instead of an answer: {event}")

    def rest(self):
        body = b""
        while True:
            event = self.link.next()
            if isinstance(event, h2.events.DataReceived):
                body += event.data
            if isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                return body

    def push(self):
        for octets in self.frames.data_to_send():
            # An empty piece is the package's word for the end of its side.
            self.link.send(self.stream, octets, end=not octets)

    def say(self, message):
        if isinstance(message, bytes):
            self.frames.send_binary(message)
        else:
            self.frames.send_text(message.encode())
        self.push()

    def step(self):
        """Takes one event in; raises EOFError when the tunnel is over."""
        if self.ended:
            raise EOFError
        event = self.link.next()
        if isinstance(event, h2.events.DataReceived):
            self.frames.receive_data(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended = True
            self.frames.receive_eof()
        elif isinstance(event, h2.events.StreamReset):
            say("reset", int(event.error_code))
            self.ended = True
        try:
            self.push()
        except (Gone, h2.exceptions.ProtocolError):
            self.ended = True

    def hear(self):
        """The next message, put together from its frames."""
        pieces = []
        while True:
            for frame in self.frames.events_received():
                if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                    pieces.append(bytes(frame.data))
                    if frame.fin:
                        return b"".join(pieces)
            if self.frames.close_rcvd is not None:
                raise EOFError
            self.step()

    def close(self):
        self.frames.send_close(1000, "done")
        self.push()
        while self.frames.close_rcvd is None:
            self.step()


def main():
    options = arguments()
    try:
        (over_http1 if options.http == "1" else over_http2)(options)
    except (OSError, Gone, EOFError, h2.exceptions.ProtocolError) as error:
        fail(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main())
