"""The side of HBONE that stands before a workload, as a node's proxy does: takes CONNECT streams inside of mutual TLS, and
opens a plain connection to the address that each names.

Prints `peer URIS` for a connection, `connect AUTHORITY` and `field NAME VALUE` for a stream. `--answer 403` refuses all.
`--single` takes one connection with one stream at a time, and ends all others at once (`turned away`).
"""

import argparse
import select
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from hbone_link import context, identity
from report import say

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--cert", required=True)
arguments.add_argument("--key", required=True)
arguments.add_argument("--ca", required=True)
arguments.add_argument("--answer", default="200")
arguments.add_argument("--single", action="store_true")
options = arguments.parse_args()


def serve(plain):
    try:
        link = settings.wrap_socket(plain, server_side=True)
    except (OSError, ssl.SSLError) as error:
        say("refused", error)
        return
    say("peer", identity(link))
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    if options.single:
        one = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        state.local_settings = h2.settings.Settings(client=False, initial_values=one)
    state.initiate_connection()
    link.sendall(state.data_to_send())
    inner, waiting, ending = {}, {}, set()

    def take(event):
        if isinstance(event, h2.events.RequestReceived):
            fields = dict(event.headers)
            say("connect", fields.get(":authority"))
            for name, value in event.headers:
                if not name.startswith(":"):
                    say("field", name, value)
            if options.answer != "200":
                state.send_headers(event.stream_id, [(":status", options.answer)], end_stream=True)
                return
            host, _, port = fields[":authority"].rpartition(":")
            try:
                inner[event.stream_id] = socket.create_connection((host.strip("[]"), int(port)), timeout=5)
            except OSError:
                state.send_headers(event.stream_id, [(":status", "503")], end_stream=True)
                return
            waiting[event.stream_id] = b""
            state.send_headers(event.stream_id, [(":status", "200")])
        elif isinstance(event, h2.events.DataReceived):
            state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in inner:
                inner[event.stream_id].sendall(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            if event.stream_id in inner:
                inner[event.stream_id].shutdown(socket.SHUT_WR)
        elif isinstance(event, h2.events.StreamReset):
            say("reset", int(event.error_code))
            close(event.stream_id)

    def close(stream):
        waiting.pop(stream, None)
        ending.discard(stream)
        if stream in inner:
            inner.pop(stream).close()

    def send(stream):
        room = min(state.local_flow_control_window(stream), state.max_outbound_frame_size)
        piece, waiting[stream] = waiting[stream][:room], waiting[stream][room:]
        if piece:
            state.send_data(stream, piece)
        if stream in ending and not waiting[stream]:
            state.end_stream(stream)
            close(stream)

    try:
        while True:
            readable = [link] + [end for stream, end in inner.items() if not waiting[stream] and stream not in ending]
            ready = [link] if link.pending() else select.select(readable, [], [], 5)[0]
            if link in ready:
                octets = link.recv(65536)
                if not octets:
                    break
                for event in state.receive_data(octets):
                    take(event)
            for stream, end in list(inner.items()):
                if end in ready:
                    octets = end.recv(16384)
                    if octets:
                        waiting[stream] += octets
                    else:
                        ending.add(stream)
            for stream in list(waiting):
                if waiting[stream] or stream in ending:
                    send(stream)
            link.sendall(state.data_to_send())
    except (OSError, h2.exceptions.H2Error) as error:
        say("ended", error)
    for end in inner.values():
        end.close()
    link.close()


settings = context(True, options.cert, options.key, options.ca)
listener = socket.create_server(("127.0.0.1", 0))
say("ready", listener.getsockname()[1])
taken = 0
while True:
    accepted, _ = listener.accept()
    taken += 1
    if options.single and taken > 1:
        say("turned", "away")
        accepted.close()
        continue
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
