"""What every gateway under test has in common: what it is asked to do, its start, its readiness, its processes, its end."""

import os
import signal
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from measure import free_port

# What a gRPC message with ten octets looks like: not compressed, its length, itself.
GRPC_MESSAGE = b"\x00\x00\x00\x00\x0ahello12345"


class Lacks(Exception):
    """The gateway cannot do what the scenario asks; says why."""


@dataclass
class Scenario:
    """What a gateway is asked to do."""

    # (port of a backend on loopback, weight)
    backends: list
    routes: int = 1
    workers: int = 1
    # Downstream: TLS 1.3 with an ECDSA P-256 certificate, HTTP/2 and HTTP/1.1 by ALPN.
    tls: bool = False
    # Downstream without TLS: HTTP/2 by prior knowledge.
    http2: bool = False
    # Upstream: HTTP/2 in clear text by prior knowledge.
    h2c_up: bool = False
    # The traffic is gRPC; implies h2c_up.
    grpc: bool = False
    # All that a gateway in production does beside forwarding: access log, metrics, X-Forwarded-*, a request id, two retries
    # with a budget where there is one, a rate limit by client that nobody reaches, edits of heads in both directions.
    production: bool = False
    # Sluice: the gateway of a group, which the backend's Service is a member of; called by the name `app0.default`.
    group: bool = False

    @property
    def upstream_http2(self):
        return self.h2c_up or self.grpc


class Gateway:
    """One gateway under test, listening on a port of its own on 127.0.0.1. `core` is the processor it is pinned to; None: any."""

    name = ""

    def __init__(self, scenario, folder, core):
        self.scenario, self.port, self.core = scenario, free_port(), core
        self.shared = Path(folder)
        self.folder = self.shared / f"{self.name}-{self.port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None

    def certificate(self):
        """Paths of the certificate, the key and both in one file; made once, the same for all gateways."""
        certificate, key, both = (self.shared / name for name in ("cert.pem", "key.pem", "both.pem"))
        if not both.exists():
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                 "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
            both.write_bytes(certificate.read_bytes() + key.read_bytes())
        return certificate, key, both

    def start(self):
        command = self.configure()
        if self.core is not None:
            command = ["taskset", "-c", str(self.core)] + command
        self.output = open(self.folder / "output", "wb")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, start_new_session=True)

    def wait_ready(self, path="/", seconds=20):
        """Until the first right answer; returns how long that took since now, in seconds."""
        begun = time.monotonic()
        ask = self.plain_answer if not self.curl_options() else self.curl_answer
        while time.monotonic() - begun < seconds:
            if self.process.poll() is not None:
                break
            if ask(path):
                return time.monotonic() - begun
            time.sleep(0.001)
        said = (self.folder / "output").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self.name} gave no right answer within {seconds} s; its output ends: {said}")

    def plain_answer(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Host": "app0.default" if self.scenario.group else "localhost"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def curl_options(self):
        """Empty when HTTP/1.1 in clear text is meant, which needs no curl."""
        s, options = self.scenario, []
        if s.tls:
            options += ["--insecure"]
        elif s.http2:
            options += ["--http2-prior-knowledge"]
        if s.grpc:
            message = self.shared / "message"
            message.write_bytes(GRPC_MESSAGE)
            options += ["--header", "content-type: application/grpc", "--header", "te: trailers",
                        "--data-binary", f"@{message}"]
        return options

    def curl_answer(self, path):
        # With the head and the trailers on standard output, before the body.
        url = f"{'https' if self.scenario.tls else 'http'}://localhost:{self.port}{path}"
        command = ["curl", "--silent", "--max-time", "5", "--noproxy", "*", "--dump-header", "-",
                   "--resolve", f"localhost:{self.port}:127.0.0.1"] + self.curl_options() + [url]
        out = subprocess.run(command, capture_output=True).stdout
        first = out.split(b"\r\n", 1)[0].split()
        right = len(first) > 1 and first[1] == b"200"
        return right and (not self.scenario.grpc or b"grpc-status: 0\r\n" in out)

    def pids(self):
        """The whole family, ours first."""
        family, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            family.append(pid)
            for task in _tasks(pid):
                try:
                    todo += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
                except OSError:
                    pass
        return family

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        family = self.pids()
        self.process.send_signal(signal.SIGINT if self.name.startswith("sluice") else signal.SIGTERM)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            for pid in family:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self.output.close()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


def _tasks(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
