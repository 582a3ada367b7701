#!/usr/bin/env python3
"""One HTTP/2 connection that always has requests under way, and goes on opening streams for as long as its peer allows.

A server that ends a connection says GOAWAY (RFC 9113, section 6.8): with the highest number first, then with the last stream
that it serves. Requests on streams up to that one must be answered; those above were not touched, and whoever sent them may
send them again elsewhere.

Prints `answered COUNT` once when there were --warm answers, `goaway LAST CODE` each, and at the connection's end
`answered COUNT`, `untouched COUNT` (above the last number), `lost COUNT` (up to it, without a whole answer of 200).
"""

import argparse
import select
import struct
import sys
import time

import hpack

from h2_attack import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
                       WINDOW_UPDATE, frame, text)
from http2_link import connect
from report import fail, say


class Drained:
    def __init__(self, options):
        self.options = options
        named = options.host or options.target
        self.head = (b"\x82" + (b"\x87" if options.tls else b"\x86") + b"\x04" + text(options.path.encode())
                     + b"\x01" + text(named.encode()))
        self.link = connect(options.target, options.tls, named.split(":")[0], ("h2",))
        self.out, self.buffer, self.heads = PREFACE + frame(SETTINGS, 0, 0), b"", hpack.Decoder()
        self.stream, self.open, self.failed, self.answered, self.last = 1, {}, [], 0, 2**31 - 1
        self.warmed = False

    def run(self):
        end = time.monotonic() + self.options.seconds
        while time.monotonic() < end:
            while len(self.open) < self.options.streams and self.last == 2**31 - 1:
                self.out += frame(HEADERS, END_STREAM | END_HEADERS, self.stream, self.head)
                self.open[self.stream] = None
                self.stream += 2
            if self.out:
                try:
                    self.link.sendall(self.out)
                except OSError:
                    pass  # What was said before is still to be read.
                self.out = b""
            # TLS may hold decrypted octets that select() does not see.
            if not (self.options.tls and self.link.pending() or select.select([self.link], [], [], 0.1)[0]):
                continue
            try:
                octets = self.link.recv(262144)
            except OSError:
                octets = b""
            if not octets:
                return True
            self.buffer += octets
            self.take()
        return False

    def take(self):
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                return
            kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
            payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
            self.see(kind, flags, stream, payload)

    def see(self, kind, flags, stream, payload):
        if kind == HEADERS:
            self.open[stream] = dict(self.heads.decode(payload)).get(":status")
        elif kind == DATA and payload:
            self.out += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload)))
        elif kind == RST_STREAM:
            self.failed.append(stream)
            self.open.pop(stream, None)
        elif kind == SETTINGS and not flags & ACK:
            self.out += frame(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            # Requests cross the word that ends them: the answer comes after some more of them.
            self.out += frame(PING, ACK, 0, payload)
        elif kind == GOAWAY:
            self.last, code = struct.unpack(">II", payload[:8])
            say("goaway", self.last, code)
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            if self.open.pop(stream) == "200":
                self.answered += 1
            else:
                self.failed.append(stream)
            if self.answered >= self.options.warm and not self.warmed:
                self.warmed = True
                say("answered", self.answered)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--host", help=":authority and SNI (default: the target)")
    parser.add_argument("--path", default="/")
    parser.add_argument("--tls", metavar="CA", help="a PEM file with the roots to trust; without it: clear text")
    parser.add_argument("--streams", type=int, default=20, help="requests under way at once")
    parser.add_argument("--warm", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20, help="how long in all")
    options = parser.parse_args()
    try:
        drained = Drained(options)
        if not drained.run():
            fail("the connection did not end")
    except (OSError, hpack.HPACKError) as error:
        fail(f"{type(error).__name__}: {error}")
    missing = list(drained.open) + drained.failed
    say("answered", drained.answered)
    say("untouched", sum(stream > drained.last for stream in missing))
    say("lost", sum(stream <= drained.last for stream in missing))


if __name__ == "__main__":
    sys.exit(main())
