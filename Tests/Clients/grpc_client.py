#!/usr/bin/env python3
"""One gRPC call, generic: messages are octets, the method is a path, no .proto is needed.

Prints, in this order of events: `initial K: V`, `message TEXT`…, `trailing K: V`, `status CODE`, `details TEXT`.
A bidirectional call plays ping-pong: it sends a message only when the answer to the one before has come, so it ends only
if nobody on the way waits for a whole body.
"""

import argparse
import os
import queue
import sys
import time

import grpc

from report import fail, pattern, say, shown

METHODS = {"unary": "Unary", "server-stream": "ServerStream", "client-stream": "ClientStream", "bidi": "Bidi"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=METHODS)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--method", help="path (default /sluice.test.Echo/ and the kind's name)")
    parser.add_argument("--message", action="append", metavar="TEXT", help="repeat it where the client streams")
    parser.add_argument("--size", type=int, help="one message of so many octets, instead of --message")
    parser.add_argument("--count", type=int, default=1, help="the messages, so many times over")
    parser.add_argument("--pause", type=float, default=0, help="seconds before each message after the first")
    parser.add_argument("--until", metavar="FILE", help="go on with the messages until FILE exists (client streams)")
    parser.add_argument("--metadata", action="append", default=[], metavar="K=V")
    parser.add_argument("--timeout", type=float, help="the call's deadline in seconds, sent as grpc-timeout")
    parser.add_argument("--cancel-after", type=int, metavar="N", help="cancel when so many messages were received")
    parser.add_argument("--proxy", metavar="URL", help="an explicit proxy, which is asked by CONNECT")
    parser.add_argument("--authority", help="the name of :authority and SNI")
    parser.add_argument("--tls", metavar="CA", help="a PEM file with the roots to trust; without it: clear text")
    parser.add_argument("--cert", metavar="PEM"), parser.add_argument("--key", metavar="PEM")
    parser.add_argument("--calls", type=int, default=1, help="one after the other on one connection; the last is shown")
    return parser.parse_args()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def channel(options):
    settings = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
                ("grpc.enable_http_proxy", 1 if options.proxy else 0), ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    if options.proxy:
        os.environ["http_proxy"] = options.proxy
        settings.append(("grpc.http_proxy", options.proxy))
    if options.authority:
        settings.append(("grpc.default_authority", options.authority))
    if not options.tls:
        return grpc.insecure_channel(options.target, settings)
    if options.authority:
        settings.append(("grpc.ssl_target_name_override", options.authority.split(":")[0]))
    credentials = grpc.ssl_channel_credentials(
        read(options.tls), read(options.key) if options.key else None, read(options.cert) if options.cert else None)
    return grpc.secure_channel(options.target, credentials, settings)


def messages(options, answered):
    """What is sent. `answered` has an entry for each answer of a bidirectional call; None: send without waiting."""
    texts = [pattern(options.size)] if options.size is not None else [t.encode() for t in options.message or ["hello"]]
    sent = 0
    while sent < options.count * len(texts) or (options.until and not os.path.exists(options.until)):
        if sent:
            if answered is not None and answered.get() is None:
                return
            time.sleep(options.pause)
        yield texts[sent % len(texts)]
        sent += 1
    if answered is not None and sent:
        answered.get()
    say("sent", sent)


def metadata(word):
    """Of a key that ends in -bin the value is octets."""
    key, value = word.split("=", 1)
    return key, value.encode() if key.endswith("-bin") else value


def call(options, link, shows=True):
    path = options.method or "/sluice.test.Echo/" + METHODS[options.kind]
    more = {"timeout": options.timeout, "metadata": [metadata(m) for m in options.metadata]}
    make = {"unary": link.unary_unary, "server-stream": link.unary_stream, "client-stream": link.stream_unary,
            "bidi": link.stream_stream}[options.kind]
    stub = make(path, request_serializer=None, response_deserializer=None)
    answered = queue.Queue() if options.kind == "bidi" else None
    outgoing = messages(options, answered)
    if options.kind in ("unary", "server-stream"):
        outgoing = next(outgoing)
    under_way = stub.future(outgoing, **more) if options.kind in ("unary", "client-stream") else stub(outgoing, **more)
    received = 0
    try:
        if shows:
            for key, value in under_way.initial_metadata() or ():
                say("initial", f"{key}: {value}")
        answers = [under_way.result()] if options.kind in ("unary", "client-stream") else under_way
        for answer in answers:
            received += 1
            if shows and received <= 1000:
                say("message", shown(answer))
            if received == options.cancel_after:
                under_way.cancel()
            if answered is not None:
                answered.put(received)
    except (grpc.RpcError, grpc.FutureCancelledError):
        pass  # The status below tells it.
    finally:
        if answered is not None:
            answered.put(None)
    if shows or under_way.code() is not grpc.StatusCode.OK:
        for key, value in under_way.trailing_metadata() or ():
            say("trailing", f"{key}: {value}")
        say("received", received)
        say("status", under_way.code().name)
        say("details", under_way.details() or "")


def main():
    options = arguments()
    with channel(options) as link:
        try:
            grpc.channel_ready_future(link).result(timeout=10)
        except grpc.FutureTimeoutError:
            fail("no connection within 10 s")
        for number in range(options.calls):
            call(options, link, shows=number == options.calls - 1)


if __name__ == "__main__":
    sys.exit(main())
