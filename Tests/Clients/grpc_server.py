#!/usr/bin/env python3
"""A gRPC backend. The last part of a method's path says what it does, whatever the service before it is called:

  Unary         answers the message
  ServerStream  the message is words: `count=3 pause=0.1 size=10 text=T end=CODE`; answers "T 0", "T 1"… or SIZE octets
  ClientStream  answers how many messages of how many octets came
  Bidi          answers each message as it comes
  Error         the message is `CODE details`: ends so before any head (trailers only)
  LateError     the same after one message
  Slow          the message is seconds: answers after them
  Mute          the same, but without initial metadata before
  Metadata      answers what it received, `key: value` a line; `deadline: SECONDS` too
  Check         of grpc.health.v1.Health: SERVING

Initial metadata: x-backend, x-method. Trailing metadata: x-trailer. Prints `ready PORT`, then `call PATH` and
`cancelled PATH`.
"""

import argparse
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

from report import pattern, say


class Echo(grpc.GenericRpcHandler):
    def __init__(self, name):
        self.name = name

    def service(self, details):
        path = details.method
        method = path.rsplit("/", 1)[-1]
        kinds = {
            "Unary": (grpc.unary_unary_rpc_method_handler, self.unary),
            "ServerStream": (grpc.unary_stream_rpc_method_handler, self.server_stream),
            "ClientStream": (grpc.stream_unary_rpc_method_handler, self.client_stream),
            "Bidi": (grpc.stream_stream_rpc_method_handler, self.bidi),
            "Error": (grpc.unary_unary_rpc_method_handler, self.error),
            "LateError": (grpc.unary_stream_rpc_method_handler, self.late_error),
            "Slow": (grpc.unary_unary_rpc_method_handler, self.slow),
            "Mute": (grpc.unary_unary_rpc_method_handler, self.slow),
            "Metadata": (grpc.unary_unary_rpc_method_handler, self.metadata),
            "Check": (grpc.unary_unary_rpc_method_handler, lambda message, call: b"\x08\x01"),
        }
        if method not in kinds:
            return None  # grpcio answers UNIMPLEMENTED.
        make, act = kinds[method]
        streams = make in (grpc.unary_stream_rpc_method_handler, grpc.stream_stream_rpc_method_handler)
        return make(self.watched(path, method, act, streams))

    def watched(self, path, method, act, streams):
        """`act` with the metadata around it, and a word when the caller goes away before its end."""
        def begin(call):
            finished = threading.Event()
            say("call", path)
            call.add_callback(lambda: None if finished.is_set() else say("cancelled", path))
            if method not in ("Error", "Mute"):
                call.send_initial_metadata((("x-backend", self.name), ("x-method", path)))
                call.set_trailing_metadata((("x-trailer", self.name),))
            return finished

        def one(message, call):
            finished = begin(call)
            try:
                answer = act(message, call)
                if call.is_active():
                    finished.set()
                return answer
            except Exception:  # abort() ends a call by one.
                finished.set()
                raise

        def many(message, call):
            finished = begin(call)
            try:
                yield from act(message, call)
                if call.is_active():
                    finished.set()
            except Exception:
                if call.is_active():
                    finished.set()
                raise

        return many if streams else one

    def unary(self, message, call):
        return message

    def server_stream(self, message, call):
        words = dict(word.split("=", 1) for word in message.decode().split())
        for number in range(int(words.get("count", 1))):
            if number:
                time.sleep(float(words.get("pause", 0)))
            if not call.is_active():
                return
            yield pattern(int(words["size"])) if "size" in words else f"{words.get('text', 'answer')} {number}".encode()
        if "end" in words:
            call.abort(grpc.StatusCode[words["end"]], "as asked")

    def client_stream(self, messages, call):
        count = octets = 0
        for message in messages:
            count, octets = count + 1, octets + len(message)
        return f"{count} messages, {octets} octets".encode()

    def bidi(self, messages, call):
        yield from messages

    def error(self, message, call):
        code, _, details = message.decode().partition(" ")
        call.set_trailing_metadata((("x-trailer", self.name),))
        call.abort(grpc.StatusCode[code], details)

    def late_error(self, message, call):
        yield b"so far"
        code, _, details = message.decode().partition(" ")
        call.abort(grpc.StatusCode[code], details)

    def slow(self, message, call):
        until = time.monotonic() + float(message)
        while time.monotonic() < until and call.is_active():
            time.sleep(0.005)
        return message

    def metadata(self, message, call):
        lines = [f"{key}: {value}" for key, value in call.invocation_metadata()]
        left = call.time_remaining()
        # Without a deadline grpcio gives a number of years.
        lines.append("deadline: " + ("none" if left is None or left > 1e8 else f"{left:.1f}"))
        return "\n".join(lines).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="ADDRESS:PORT")
    parser.add_argument("--name", default="backend")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="PEM files; without them: h2c")
    parser.add_argument("--client-ca", metavar="PEM", help="require a client certificate of these roots")
    options = parser.parse_args()
    server = grpc.server(futures.ThreadPoolExecutor(64), handlers=(Echo(options.name),), options=[
        ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)])
    if options.tls:
        certificate, key = (open(path, "rb").read() for path in options.tls)
        roots = open(options.client_ca, "rb").read() if options.client_ca else None
        credentials = grpc.ssl_server_credentials([(key, certificate)], roots, roots is not None)
        port = server.add_secure_port(options.listen, credentials)
    else:
        port = server.add_insecure_port(options.listen)
    server.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    say("ready", port)
    ended.wait()
    server.stop(0.1).wait()


if __name__ == "__main__":
    sys.exit(main())
