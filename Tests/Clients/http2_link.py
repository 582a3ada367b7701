"""One HTTP/2 connection over a socket, for programs with one thread: the `h2` package frames, this moves the octets."""

import select
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.events

from report import say


class Gone(Exception):
    """The peer ended the connection or the stream."""


def connect(target, ca=None, name=None, alpn=()):
    """A connected socket; with `ca` (a PEM file) over TLS, saying `name` (SNI) and offering `alpn`."""
    host, _, port = target.rpartition(":")
    link = socket.create_connection((host, int(port)), timeout=10)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if ca:
        settings = ssl.create_default_context(cafile=ca)
        settings.set_alpn_protocols(list(alpn))
        link = settings.wrap_socket(link, server_hostname=name or host)
        say("tls", link.version(), link.cipher()[0], link.selected_alpn_protocol() or "-")
    return link


def relayed(link):
    """A plain socket in place of one that speaks TLS, for packages that read and write on two threads: OpenSSL's objects are
    for one at a time, and Python sees to that from 3.13 on only. Before, a request could be lost between its tickets."""
    inside, outside = socket.socketpair()
    link.setblocking(False)

    def move():
        waiting = b""
        try:
            while True:
                select.select([link] if waiting else [link, outside], [link] if waiting else [], [])
                if not waiting and select.select([outside], [], [], 0)[0]:
                    waiting = outside.recv(65536)
                    if not waiting:
                        break
                try:
                    if waiting:
                        waiting = waiting[link.send(waiting):]
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
                try:
                    while octets := link.recv(65536):
                        outside.sendall(octets)
                    break
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
        except OSError:
            pass
        link.close()
        outside.close()

    threading.Thread(target=move, daemon=True).start()
    return inside


class Link:
    def __init__(self, link, client):
        self.link = link
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client, header_encoding="utf-8"))
        self.settled = False
        self.events = []

    def start(self):
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.link.sendall(self.h2.data_to_send())

    def next(self):
        """The next event; window updates for data are sent on the way."""
        while not self.events:
            octets = self.link.recv(65536)
            if not octets:
                raise Gone("the connection ended")
            self.events = self.h2.receive_data(octets)
            for event in self.events:
                if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.flush()
        event = self.events.pop(0)
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settled = True
        if isinstance(event, h2.events.ConnectionTerminated):
            say("goaway", int(event.error_code), "last", event.last_stream_id)
        return event

    def send(self, stream, octets, end=False):
        """All of it, as the peer's windows allow; events that come meanwhile are kept."""
        while octets:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(octets))
            if room <= 0:
                kept, self.events = self.events, []
                event = self.next()
                self.events = kept + [event] + self.events
                if isinstance(event, h2.events.StreamReset) and event.stream_id == stream:
                    raise Gone("the stream was reset")
                continue
            self.h2.send_data(stream, octets[:room])
            self.flush()
            octets = octets[room:]
        if end:
            self.h2.end_stream(stream)
            self.flush()
