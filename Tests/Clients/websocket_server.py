#!/usr/bin/env python3
"""A WebSocket backend that answers each message with itself, over HTTP/1.1 (RFC 6455) or, with --http 2, over HTTP/2 by
extended CONNECT (RFC 8441), by prior knowledge or over TLS.

The message `close CODE` makes it close so; `fields` is answered with what the opening carried, `name: value` a line.
A path that begins with /refuse is answered 403; of subprotocols
the first offered is taken. Prints `ready PORT`, then `opened PATH` and `closed CODE`.
"""

import argparse
import socket
import ssl
import sys
import threading

import h2.events
import h2.exceptions
import h2.settings
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.sync.server import serve as serve_http1

from http2_link import Gone, Link
from report import say


def answer_http1(peer):
    say("opened", peer.request.path)
    try:
        for message in peer:
            if message == "fields":
                peer.send("\n".join(f"{name.lower()}: {value}" for name, value in peer.request.headers.raw_items()))
            elif isinstance(message, str) and message.startswith("close "):
                peer.close(int(message.split()[1]), "as asked")
            else:
                peer.send(message)
    except ConnectionClosed:
        pass
    say("closed", peer.close_code)


def refuse(peer, request):
    return peer.respond(403, "refused\n") if request.path.startswith("/refuse") else None


def answer_http2(accepted, tls):
    """One connection; each stream is a tunnel of its own."""
    tunnels, link = {}, None
    try:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted = tls.wrap_socket(accepted, server_side=True) if tls else accepted
        link = Link(accepted, client=False)
        link.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1, h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100})
        link.start()
        while True:
            event = link.next()
            if isinstance(event, h2.events.RequestReceived):
                open_tunnel(link, event, tunnels)
            elif isinstance(event, h2.events.DataReceived) and event.stream_id in tunnels:
                frames, fields = tunnels[event.stream_id]
                frames.receive_data(event.data)
                turn(link, event.stream_id, frames, fields)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)) and event.stream_id in tunnels:
                frames, _ = tunnels.pop(event.stream_id)
                say("closed", frames.close_rcvd.code if frames.close_rcvd else 1006)
    except (OSError, Gone, h2.exceptions.ProtocolError):
        for frames, _ in tunnels.values():
            say("closed", frames.close_rcvd.code if frames.close_rcvd else 1006)
        try:
            if link:
                link.flush()  # The GOAWAY that says what was wrong.
        except OSError:
            pass
        accepted.close()


def open_tunnel(link, event, tunnels):
    fields = list(event.headers)
    known = dict(fields)
    if known.get(":method") != "CONNECT" or known.get(":protocol") != "websocket":
        status = "501"
    else:
        status = "403" if known[":path"].startswith("/refuse") else "200"
    head = [(":status", status)]
    if status == "200" and "sec-websocket-protocol" in known:
        head.append(("sec-websocket-protocol", known["sec-websocket-protocol"].split(",")[0].strip()))
    link.h2.send_headers(event.stream_id, head)
    link.flush()
    if status != "200":
        link.send(event.stream_id, b"refused\n", end=True)
        return
    say("opened", known[":path"])
    tunnels[event.stream_id] = (Protocol(Side.SERVER, state=OPEN, max_size=None), fields)


def turn(link, stream, frames, fields):
    """Answers what came; a message of several frames is answered frame by frame."""
    for frame in frames.events_received():
        if frame.opcode is Opcode.TEXT and frame.data == b"fields":
            frames.send_text("\n".join(f"{name}: {value}" for name, value in fields).encode())
        elif frame.opcode is Opcode.TEXT and bytes(frame.data).startswith(b"close "):
            frames.send_close(int(bytes(frame.data).split()[1]), "as asked")
        elif frame.opcode is Opcode.TEXT:
            frames.send_text(frame.data, fin=frame.fin)
        elif frame.opcode is Opcode.BINARY:
            frames.send_binary(frame.data, fin=frame.fin)
        elif frame.opcode is Opcode.CONT:
            frames.send_continuation(frame.data, fin=frame.fin)
    for octets in frames.data_to_send():
        # An empty piece is the package's word for the end of its side.
        link.send(stream, octets, end=not octets)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="ADDRESS:PORT")
    parser.add_argument("--http", choices=("1", "2"), default="1")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    tls = None
    if options.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*options.tls)
        tls.set_alpn_protocols(["h2"] if options.http == "2" else ["http/1.1"])
    if options.http == "1":
        with serve_http1(
            answer_http1, host, int(port), ssl=tls, process_request=refuse, max_size=None, compression=None,
            select_subprotocol=lambda peer, offered: offered[0] if offered else None,
        ) as server:
            say("ready", server.socket.getsockname()[1])
            server.serve_forever()
    listener = socket.create_server((host, int(port)), backlog=128)
    say("ready", listener.getsockname()[1])
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=answer_http2, args=(accepted, tls), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
