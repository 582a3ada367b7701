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


class Tools:
    """The load generator and the backend, compiled from the C files beside this one."""

    def __init__(self, folder, core):
        self.folder, self.core = Path(folder), core
        self.folder.mkdir(parents=True, exist_ok=True)
        here = Path(__file__).parent
        for name in ("load", "backend"):
            target = self.folder / name
            source = here / f"{name}.c"
            if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
                subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", str(target), str(source)], check=True)

    def _command(self, name, arguments):
        pin = [] if self.core is None else ["taskset", "-c", str(self.core)]
        return pin + [str(self.folder / name)] + [str(a) for a in arguments]

    def backend(self, sites):
        process = subprocess.Popen(self._command("backend", sites), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
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
        pin = [] if self.core is None else ["taskset", "-c", str(self.core)]
        command = pin + ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(duration))}s", "--latency",
                         f"http://127.0.0.1:{port}/"]
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


class IdleConnections:
    """Open keep-alive connections that had one exchange each; leaving tells how many the gateway closed."""

    def __init__(self, tools, port, count, path="/"):
        self.process = tools.load_process(port, idle=count, path=path)
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("the idle connections could not be opened")

    def finish(self):
        out, _ = self.process.communicate(timeout=20)
        return json.loads(out)
