"""What is measured: processor time, memory, and what the load generator saw."""

import json
import os
import re
import socket
import subprocess
from pathlib import Path


def cpu_seconds(pids):
    """User and system time of all threads of the processes, from the scheduler (nanoseconds, no ticks)."""
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        except OSError:
            pass  # It ended; what it used until the last look is lost, and that is little.
    return total / 1e9


def pss_kib(pids):
    """Proportional set size: memory shared between the family's processes is counted once."""
    total = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total


def free_port():
    """A port of loopback where nobody listens, below the range of outgoing connections."""
    for port in range(free_port.next, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        free_port.next = port + 1
        return port
    raise RuntimeError("no free port between 20000 and 32000")


free_port.next = 20000 + os.getpid() % 4000


# The C programs beside this file and the libraries of each.
PROGRAMS = {"load": ["-lssl", "-lcrypto"], "backend": [], "backend_h2": ["-lnghttp2"], "handshakes": ["-lssl", "-lcrypto"]}


class Tools:
    """The load generators and the backends: those of the C files beside this one, compiled when first used, wrk and h2load."""

    def __init__(self, folder, core):
        self.folder, self.core = Path(folder), core
        self.folder.mkdir(parents=True, exist_ok=True)

    def _pinned(self, command):
        pin = [] if self.core is None else ["taskset", "-c", str(self.core)]
        return pin + [str(word) for word in command]

    def _command(self, name, arguments):
        target, source = self.folder / name, Path(__file__).parent / f"{name}.c"
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", str(target), str(source)] + PROGRAMS[name], check=True)
        return self._pinned([target, *arguments])

    def backend(self, sites, name="backend"):
        """`backend` answers HTTP/1.1, `backend_h2` HTTP/2 in clear text, gRPC included."""
        process = subprocess.Popen(self._command(name, sites), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the backend did not start")
        return process

    def load_process(self, port, idle=None, **options):
        arguments = ["--target", f"127.0.0.1:{port}"]
        if idle:
            options["idle"] = idle
        for name, value in options.items():
            arguments += [f"--{name}", value]
        return subprocess.Popen(self._command("load", arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def load(self, port, **options):
        process = self.load_process(port, **options)
        limit = float(options.get("duration", 2)) + float(options.get("warmup", 0)) + 15
        try:
            out, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            raise RuntimeError("the load generator failed")
        return json.loads(out)

    def wrk(self, port, connections, duration):
        """The same closed loop by wrk, in the shape of load()'s answer, as far as wrk tells."""
        command = self._pinned(["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(duration))}s", "--latency",
                                f"http://127.0.0.1:{port}/"])
        out = subprocess.run(command, capture_output=True, text=True, timeout=duration + 20, check=True).stdout
        units = {"us": 1, "ms": 1e3, "s": 1e6}

        def percentile(name):
            value, unit = re.search(rf"^\s+{name}%\s+([\d.]+)(us|ms|s)$", out, re.MULTILINE).groups()
            return float(value) * units[unit]

        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
        not_200 = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        requests, seconds = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
        return {"requests": int(requests), "seconds": float(seconds), "rps": int(requests) / float(seconds), "octets": 0,
                "failed": sum(map(int, errors.groups())) if errors else 0,
                "not_200": int(not_200.group(1)) if not_200 else 0, "timed_out": 0, "backends": {},
                "latency": {"p50": percentile(50), "p99": percentile(99)}}

    def handshakes(self, port, connections, duration, resume=False):
        """TLS handshakes in a closed loop, nothing else; in the shape of load()'s answer."""
        command = self._command("handshakes", [
            "--target", f"127.0.0.1:{port}", "--connections", connections, "--duration", duration,
            *(["--resume"] if resume else [])])
        done = subprocess.run(command, capture_output=True, text=True, timeout=duration + 20)
        if done.returncode:
            raise RuntimeError(f"handshakes: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def h2load(self, port, connections, duration, tls=False, streams=32, message=None, octets=0):
        """HTTP/2 in a closed loop by h2load, in the shape of load()'s answer as far as it tells.

        `message`: a file to POST as gRPC. `octets`: of each answer's DATA; what is missing counts as answers that were not
        200, because a failed gRPC call is 200 too.
        """
        command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{round(duration * 1000)}ms",
                   f"--connect-to=127.0.0.1:{port}", "--groups=X25519", "--tls13-ciphers=TLS_AES_128_GCM_SHA256"]
        path = "/"
        if message:
            command += ["-d", message, "-H", "content-type: application/grpc", "-H", "te: trailers"]
            path = "/bench.Echo/Unary"
        command.append(f"{'https' if tls else 'http'}://localhost:{port}{path}")
        done = subprocess.run(self._pinned(command), capture_output=True, text=True, timeout=duration + 20)
        counts = re.search(r"^requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, "
                           r"(\d+) timeout", done.stdout, re.MULTILINE)
        data = re.search(r"^traffic: .* \((\d+)\) data$", done.stdout, re.MULTILINE)
        took = re.search(r"^finished in ([\d.]+)(us|ms|s),", done.stdout, re.MULTILINE)
        if not counts or not data or not took:
            raise RuntimeError(f"h2load said: {done.stdout[-500:]}{done.stderr[-500:]}")
        total, right, failed, _, late = map(int, counts.groups())
        seconds = float(took.group(1)) * {"us": 1e-6, "ms": 1e-3, "s": 1}[took.group(2)]
        # Answers that were on their way at the end brought some data, never less than was counted.
        short = 0 if right == 0 else max(0, right - int(data.group(1)) // octets) if octets else 0
        agreed = re.findall(r"^(?:TLS Protocol|Cipher|Server Temp Key|Application protocol): (.*)$", done.stdout, re.MULTILINE)
        return {"requests": total, "seconds": seconds, "rps": total / seconds, "octets": int(data.group(1)),
                "failed": failed, "not_200": total - right - failed + short, "timed_out": late, "backends": {},
                "agreed": agreed, "latency": {"p50": None, "p99": None}}


class IdleConnections:
    """Open keep-alive connections that had one exchange each; leaving tells how many the gateway closed."""

    def __init__(self, tools, port, count, path="/", **options):
        self.process = tools.load_process(port, idle=count, path=path, **options)
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("the idle connections could not be opened")

    def finish(self):
        out, _ = self.process.communicate(timeout=60)
        return json.loads(out)
