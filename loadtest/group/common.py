"""What the measurements of groups share: programs that are started and ended, and clients that count.

Everything listens on 127.0.0.1. Python's own library is enough.
"""

import asyncio
import collections
import os
import signal
import socket
import subprocess
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def binary():
    """The program: $SLUICE_BIN, else the newest build."""
    chosen = os.environ.get("SLUICE_BIN")
    if chosen:
        return chosen
    built = [os.path.join(REPOSITORY, ".build", kind, "sluice") for kind in ("release", "debug")]
    built = [path for path in built if os.path.exists(path)]
    if not built:
        raise SystemExit("no build found: 'swift build' first, or set SLUICE_BIN")
    return max(built, key=os.path.getmtime)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def manifest(port, backend, annotation=""):
    """A Gateway on one port, and a route of everything to one backend."""
    note = f"\n  annotations: {{sluice.dev/fallback-gateway: '{annotation}'}}" if annotation else ""
    return f"""apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: gateway{note}
spec:
  gatewayClassName: sluice
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: http, protocol: HTTP, port: {port}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: route}}
spec:
  parentRefs: [{{name: gateway}}]
  rules: [{{backendRefs: [{{name: backend, port: 80}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: backend}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: backend-1, labels: {{kubernetes.io/service-name: backend}}}}
addressType: IPv4
ports: [{{name: http, port: {backend}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
"""


class Stage:
    """A folder with manifests and logs, and the programs that were started."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="sluice-group-")
        self.programs = []

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self, name, *words):
        log = open(os.path.join(self.folder, name + ".log"), "ab")
        program = subprocess.Popen([binary(), *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.programs.append(program)
        return program

    def log(self, name):
        with open(os.path.join(self.folder, name + ".log"), errors="replace") as file:
            return file.read()

    def end(self):
        for program in self.programs:
            if program.poll() is None:
                program.kill()
                program.wait()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def title(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode(errors="replace").strip()


def kill_family(program):
    """SIGKILL to the supervisor and all its processes at once."""
    for pid in [program.pid, *children(program.pid)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    program.wait()


def wait_for(what, condition, limit=20):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise SystemExit(f"waited {limit} s for {what}")


def answers(port, path="/"):
    """Who answers a new connection; None: nobody."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n".encode())
            octets = b""
            while piece := client.recv(65536):
                octets += piece
        head, _, body = octets.partition(b"\r\n\r\n")
        return body.decode() if b" 200 " in head.split(b"\r\n")[0] else None
    except OSError:
        return None


async def serve(name, port):
    """A backend that answers each request with its name."""

    class Backend(asyncio.Protocol):
        answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
        octets = b""

        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.octets += data
            count = self.octets.count(b"\r\n\r\n")
            if count:
                self.octets = self.octets[self.octets.rindex(b"\r\n\r\n") + 4:]
                self.transport.write(self.answer * count)

    return await asyncio.get_running_loop().create_server(Backend, "127.0.0.1", port, backlog=2048)


class Tally:
    """What happened to requests."""

    def __init__(self):
        self.answered = collections.Counter()  # By who answered.
        self.refused = 0  # Connections that were refused.
        self.unmade = collections.Counter()  # Connections that could not be made for another reason.
        self.broken = 0  # Requests under way on a connection that ended.
        self.wrong = collections.Counter()  # Answers other than 200, by status.
        self.worst = 0.0  # The slowest answer, seconds.

    def __str__(self):
        return (
            f"answered {dict(self.answered)}, refused {self.refused}, unmade {dict(self.unmade)}, "
            f"broken {self.broken}, wrong {dict(self.wrong)}, slowest {self.worst * 1000:.0f} ms"
        )


class Client(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self):
        self.octets = b""
        self.waiting = None
        self.is_open = False

    def connection_made(self, transport):
        self.transport = transport
        self.is_open = True

    def data_received(self, data):
        self.octets += data
        head, found, rest = self.octets.partition(b"\r\n\r\n")
        if not found:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return
        self.octets = b""
        if self.waiting and not self.waiting.done():
            self.waiting.set_result((int(head.split(b" ", 2)[1]), rest[:length].decode()))

    def connection_lost(self, error):
        self.is_open = False
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(ConnectionResetError())

    async def ask(self):
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(b"GET / HTTP/1.1\r\nHost: backend\r\n\r\n")
        return await asyncio.wait_for(self.waiting, 15)


class Load:
    """Clients that ask at a steady rate together; each opens another connection when its own has ended."""

    def __init__(self, port, clients, rate, life):
        """`life`: requests on one connection before its client takes another one; 0: no end."""
        self.port, self.clients, self.rate, self.life = port, clients, rate, life
        self.tally = Tally()
        self.is_stopped = False
        self.is_open = [False] * clients

    async def run(self):
        await asyncio.gather(*(self.one(number) for number in range(self.clients)))

    async def one(self, number):
        pause = self.clients / self.rate
        client, asked = None, 0
        due = time.monotonic() + pause * number / self.clients
        loop = asyncio.get_running_loop()
        while not self.is_stopped:
            await asyncio.sleep(max(0, due - time.monotonic()))
            due = max(due + pause, time.monotonic() - pause)
            if client and (not client.is_open or self.life and asked >= self.life):
                client.transport.close()
                client = None
            if client is None:
                self.is_open[number] = False
                try:
                    _, client = await loop.create_connection(Client, "127.0.0.1", self.port)
                    asked = 0
                except ConnectionRefusedError:
                    self.tally.refused += 1
                    continue
                except OSError as error:
                    self.tally.unmade[str(error)] += 1
                    continue
                self.is_open[number] = True
            began = time.monotonic()
            try:
                status, who = await client.ask()
                asked += 1
                self.tally.worst = max(self.tally.worst, time.monotonic() - began)
                if status == 200:
                    self.tally.answered[who] += 1
                else:
                    self.tally.wrong[status] += 1
            except (ConnectionResetError, asyncio.TimeoutError):
                self.tally.broken += 1
                client.transport.close()
                client = None
        if client:
            client.transport.close()
