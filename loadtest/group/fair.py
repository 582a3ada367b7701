#!/usr/bin/env python3
"""Measures that callers of one group gateway do not hurt each other: `python3 loadtest/group/fair.py`.

Two cases, each with and without the one who misbehaves, in rounds that alternate:

- `greedy`: ten callers, told apart by their addresses 127.0.1.1 to .10. Nine ask for three quarters of a tenth of what the gateway can
  do at most; the tenth asks for twenty tenths. The nine should keep 90 % of their answers and 1.25 times their p99.
- `hung`: nine callers of one service, while another service answers nobody and its callers pile up. Its neighbours should keep
  1.10 times their p99.

The gateway has one worker and a processor of its own; load and backends share another, where the load of the one who misbehaves
yields to the nine's, so that what it takes from them it takes in the gateway. A call costs the gateway some hundred expressions of a route, so
that it is the gateway that is saturated. Latencies count from when a request was due. A figure is
the median of the rounds' ratios.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from measure import Tools, cpu_seconds, free_port  # noqa: E402

CALLERS = 9
GREEDY = "127.0.1.10"


def manifests(port, good, hung, expressions):
    """A gateway, two services, and ten callers by their addresses. Calls of the first service cost as many expressions."""
    parts = [f"""apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: sluice}}
spec: {{controllerName: sluice.dev/gateway-controller}}
""", f"""apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: mesh, annotations: {{sluice.dev/group: by-name}}}}
spec:
  gatewayClassName: sluice
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: calls, port: {port}, protocol: HTTP}}]
"""]
    for name, backend in (("good", good), ("hung", hung)):
        parts.append(f"""apiVersion: v1
kind: Service
metadata: {{name: {name}, labels: {{sluice.dev/gateway: mesh}}}}
spec: {{ports: [{{name: http, port: 80, appProtocol: http}}]}}
""")
        parts.append(f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: {backend}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
""")
    route = """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {0}}}
spec:
  parentRefs: [{{group: "", kind: Service, name: good}}]
  rules:
  - backendRefs: [{{name: {1}, port: 80}}]
    matches:
{2}
"""
    # A rule takes 64 matches.
    for first in range(0, expressions, 64):
        parts.append(route.format(f"expressions-{first}", "hung", "\n".join(
            f"    - {{path: {{type: RegularExpression, value: '/.*[a-z]{n}'}}}}" for n in range(first, first + 64))))
    parts.append(route.format("good", "good", "    - {path: {value: /}}"))
    parts.append("""apiVersion: v1
kind: Service
metadata: {name: callers}
spec: {ports: [{name: http, port: 80}]}
""")
    endpoints = "\n".join(
        f"- {{addresses: [127.0.1.{n}], targetRef: {{kind: Pod, name: caller-{n}, namespace: default}}}}"
        for n in range(1, 11))
    parts.append(f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: callers-1, labels: {{kubernetes.io/service-name: callers}}}}
addressType: IPv4
ports: [{{name: http, port: 9}}]
endpoints:
{endpoints}
""")
    return "---\n".join(parts)


class HungBackend:
    """Takes every connection and never says a word."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.socket.getsockname()[1]
        self.held = []
        threading.Thread(target=self.hold, daemon=True).start()

    def hold(self):
        while True:
            self.held.append(self.socket.accept()[0])


class Measurement:
    def __init__(self, options, folder):
        cores = sorted(os.sched_getaffinity(0))
        self.gateway_core, self.load_core = cores[0], cores[-1]
        self.options = options
        self.tools = Tools(Path(__file__).parent.parent / "build", self.load_core)
        self.good, self.port, self.admin = free_port(), free_port(), free_port()
        self.backend = self.tools.backend([f"127.0.0.1:{self.good}=101,good"])
        self.hung = HungBackend()
        files = Path(folder) / "manifests"
        files.mkdir()
        (files / "group.yaml").write_text(manifests(self.port, self.good, self.hung.port, options.expressions))
        self.gateway = subprocess.Popen(
            ["taskset", "-c", str(self.gateway_core), options.binary, "run", str(files), "--workers", "1", "--admin",
             f"127.0.0.1:{self.admin}", "--access-log", "off"], stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                if self.page("/readyz"):
                    break
            except OSError:
                time.sleep(0.05)

        self.family = [self.gateway.pid] + [int(pid) for pid in Path(
            f"/proc/{self.gateway.pid}/task/{self.gateway.pid}/children").read_text().split()]

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
            return answer.read().decode()

    def load(self, yields=False, **options):
        process = self.tools.load_process(self.port, **options)
        if yields:
            os.setpriority(os.PRIO_PROCESS, process.pid, 19)
        return process

    @staticmethod
    def result(process, limit):
        out, _ = process.communicate(timeout=limit)
        return json.loads(out)

    def capacity(self):
        process = self.load(connections=64, duration=3, host="good.default", source="127.0.1.1", sources=10)
        before, began = self.gateway_seconds(), time.monotonic()
        result = self.result(process, 20)
        self.busy = (self.gateway_seconds() - before) / (time.monotonic() - began)
        return result["rps"]

    def gateway_seconds(self):
        return cpu_seconds(self.family)

    def neighbours(self, rate, other=None):
        """What nine callers of `good` see, while `other` goes on besides."""
        seconds = self.options.seconds
        disturber = self.load(**other, duration=seconds + 2) if other else None
        if disturber:
            time.sleep(1)
        process = self.load(
            connections=CALLERS * 16, duration=seconds, rate=rate, host="good.default", source="127.0.1.1",
            sources=CALLERS)
        result = self.result(process, seconds + 20)
        if disturber:
            disturber.terminate()
            disturber.communicate(timeout=20)
        return {"goodput": result["requests"] - result["not_200"], "p50": result["latency"]["p50"],
                "p99": result["latency"]["p99"], "not_200": result["not_200"]}

    def compare(self, rate, other):
        """Rounds that alternate: alone, with the other, alone; the ratio is to the mean of both."""
        rounds = []
        for _ in range(self.options.rounds):
            before = self.neighbours(rate)
            beside = self.neighbours(rate, other)
            after = self.neighbours(rate)
            alone = {key: (before[key] + after[key]) / 2 for key in before}
            rounds.append({"alone": alone, "beside": beside,
                           "goodput": beside["goodput"] / alone["goodput"], "p99": beside["p99"] / alone["p99"],
                           "p50": beside["p50"] / alone["p50"]})
            print(json.dumps(rounds[-1]), file=sys.stderr)
        return {"rate": rate, "rounds": rounds,
                **{key: round(statistics.median(r[key] for r in rounds), 3) for key in ("goodput", "p50", "p99")}}

    def run(self):
        results = {}
        top = self.capacity()
        results["capacity"] = round(top)
        results["gateway_busy"] = round(self.busy, 3)
        share = top / 10
        if "greedy" in self.options.cases:
            results["greedy"] = self.compare(CALLERS * share * 0.75, {
                "connections": self.options.connections, "rate": 20 * share, "host": "good.default", "source": GREEDY, "yields": True})
        if "hung" in self.options.cases:
            results["hung"] = self.compare(CALLERS * share * 0.5, {
                "connections": self.options.connections, "rate": 2000, "host": "hung.default", "source": GREEDY, "yields": True})
        results["flows"] = json.loads(self.page("/api/flows"))
        return results

    def close(self):
        for process in (self.gateway, self.backend):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=".build/release/sluice")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=400, help="of the one who misbehaves")
    parser.add_argument("--outrank", action="store_true",
                        help="take the processors from what else the machine does (sched(7), autogroup); as root")
    parser.add_argument("--expressions", type=int, default=600, metavar="N",
                        help="that the gateway tries for each call, so that it is the gateway that is short, and not the load")
    parser.add_argument("--cases", nargs="+", default=["greedy", "hung"], choices=["greedy", "hung"])
    options = parser.parse_args()
    if options.outrank:
        os.setsid()
        Path("/proc/self/autogroup").write_text("-20")
    with tempfile.TemporaryDirectory(prefix="sluice-fair-") as folder:
        measurement = Measurement(options, folder)
        try:
            print(json.dumps(measurement.run(), indent=2))
        finally:
            measurement.close()


if __name__ == "__main__":
    main()
