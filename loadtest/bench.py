#!/usr/bin/env python3
"""Measures Sluice beside nginx, HAProxy and Envoy: `make bench`, or `loadtest/bench.py --help`.

Every gateway has one worker pinned to one processor; the load generator and the backend have another. Rounds are
interleaved: in each round every gateway is measured once, in an order that rotates, so that what disturbs the machine
disturbs all. A figure is the median of its rounds; a ratio is the median of the rounds' ratios to the best peer of the
same round, and to each peer. The primary figure is the processor time that the gateway's own processes use for a request.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gateways
from gateway import GRPC_MESSAGE
from gateways import Lacks, Scenario
from measure import IdleConnections, Tools, cpu_seconds, free_port, pss_kib

BROWSER = """User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-GB,en;q=0.9,de;q=0.8
Cache-Control: max-age=0
Cookie: session=0f8fad5b-d9cb-469f-a165-70867728950e; theme=dark; consent=all; _ga=GA1.1.1234567890.1700000000
Referer: http://localhost/catalogue/index
Sec-Fetch-Dest: document
Sec-Fetch-Mode: navigate
Sec-Fetch-Site: same-origin
Upgrade-Insecure-Requests: 1
"""

SMALL, KIB64, MIB10 = 101, 65536, 10 << 20


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, Path(folder)
        cores = sorted(os.sched_getaffinity(0))
        self.gateway_core, self.load_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
        self.tools = Tools(Path(__file__).parent / "build", self.load_core)
        self.running = []
        self.broken = []  # What should have been measured and could not.
        self.results = {}
        self.v1, self.v2, self.kib64, self.mib10 = (free_port() for _ in range(4))
        self.backend = self.tools.backend([
            f"127.0.0.1:{self.v1}={SMALL},v1", f"127.0.0.1:{self.v2}={SMALL},v2",
            f"127.0.0.1:{self.kib64}={KIB64}", f"127.0.0.1:{self.mib10}={MIB10}"])
        self.backend_h2, self.h2c = None, free_port()
        self.message = self.folder / "grpc-message"
        self.message.write_bytes(GRPC_MESSAGE)
        self.fields = self.folder / "browser"
        self.fields.write_text(BROWSER.replace("\n", "\r\n"))

    # The life of what is measured.

    def plain(self, **more):
        """One backend with small answers."""
        return Scenario([(self.v1, 1)], **more)

    def start(self, scenario, names, pinned=True, absent=None):
        """Starts gateways and waits until each answers rightly. `absent`: a dictionary for those that cannot, with the
        reason; without it they are an error."""
        started, path = [], "/bench.Echo/Unary" if scenario.grpc else "/" if scenario.routes == 1 else "/r/00000"
        for name in names:
            gateway = gateways.ALL[name](scenario, self.folder, self.gateway_core if pinned else None)
            self.running.append(gateway)
            try:
                gateway.start()
                gateway.wait_ready(path, 20 if absent is None else 10)
                started.append(gateway)
            except (Lacks, RuntimeError, OSError) as reason:
                if absent is None:
                    raise
                gateway.stop()
                self.running.remove(gateway)
                words = " ".join(str(reason).split())
                absent[name] = words if len(words) < 300 else f"{words[:80]} … {words[-200:]}"
                if not isinstance(reason, Lacks):
                    self.broken.append(f"{name}: {absent[name]}")
        return started

    def http2_backend(self):
        if self.backend_h2 is None:
            self.backend_h2 = self.tools.backend([f"127.0.0.1:{self.h2c}={SMALL},v1"], "backend_h2")
        return [(self.h2c, 1)]

    def stop(self):
        for gateway in self.running:
            gateway.stop()
        self.running = []

    def close(self):
        self.stop()
        for backend in filter(None, (self.backend, self.backend_h2)):
            backend.kill()
            backend.wait()

    def paths(self, routes):
        path = self.folder / f"paths-{routes}"
        path.write_text("".join(f"/r/{n:05}/item?id={n}\n" for n in range(routes)))
        return path

    # Scenarios. Each fills self.results[NAME] with rows of figures by gateway.

    def cost(self, name, scenario, unit="request", connections=64, generate=None, best_of=None, **load):
        """Processor time for a request (or a MiB) in a closed loop, and the throughput of the one processor.

        `generate`: the load, as Tools.load. `best_of`: the peers whose best is the measure; None: all.
        """
        names, absent = self.options.gateways, {}
        started = self.start(scenario, names, absent=absent)
        generate = generate or self.tools.load
        if scenario.routes > 1:
            load["paths"] = self.paths(scenario.routes)
        rounds = {gateway.name: [] for gateway in started}
        for gateway in started:
            generate(gateway.port, connections=connections, duration=0.5, **load)
        for number in range(self.options.rounds):
            turn = number % len(started) if started else 0
            for gateway in started[turn:] + started[:turn]:
                before = cpu_seconds(gateway.pids())
                seen = generate(gateway.port, connections=connections, duration=self.options.duration, **load)
                used = cpu_seconds(gateway.pids()) - before
                amount = seen["requests"] if unit != "MiB" else seen["octets"] / (1 << 20)
                seen["cpu_us"] = used * 1e6 / max(amount, 1)
                seen["busy"] = used / seen["seconds"]
                rounds[gateway.name].append(seen)
        self.stop()
        self.results[name] = {"unit": unit, "rows": summarise(rounds, best_of), "absent": absent}
        self.print_cost(name, best_of)

    def print_cost(self, name, best_of):
        result = self.results[name]
        rivals = "" if best_of is None else f"; best peer: of {' and '.join(best_of)}"
        rate = "handshakes/s" if result["unit"] == "handshake" else "requests/s"
        print(f"\n{name}: processor time for a {result['unit']}, one worker on one core, closed loop{rivals}")
        print(f"  {'gateway':<14} {'us/' + result['unit']:>12} {'x best peer':>12} {rate:>12} {'busy':>6} "
              f"{'p50 us':>8} {'p99 us':>8} {'errors':>7}")
        for gateway, row in result["rows"].items():
            ratio = f"{row['ratio']:.3f}" if row["ratio"] else "-"
            p50, p99 = ("-" if row[key] is None else f"{row[key]:.0f}" for key in ("p50", "p99"))
            print(f"  {gateway:<14} {row['cpu_us']:>12.2f} {ratio:>12} {row['rps']:>12.0f} {row['busy']:>6.2f} "
                  f"{p50:>8} {p99:>8} {row['errors']:>7}", flush=True)
            if len(row["backends"]) > 1:
                total = sum(row["backends"].values())
                print("  " + " " * 15 + "shares: " + ", ".join(
                    f"{n} {100 * c / total:.2f} %" for n, c in sorted(row["backends"].items())), flush=True)
        for gateway, row in result["rows"].items():
            if gateway.startswith("sluice") and row["ratio_to"]:
                print(f"  {gateway} to " + ", ".join(f"{peer} {ratio:.3f}" for peer, ratio in row["ratio_to"].items()))
        print_absent(result["absent"])

    def small(self):
        self.cost("small", self.plain())

    def wrk(self):
        """`small` once more with the load of another hand, to hold our own generator to account."""
        self.cost("wrk", self.plain(), generate=self.tools.wrk)

    def browser(self):
        self.cost("browser", self.plain(), fields=self.fields)

    def body64k(self):
        self.cost("body64k", Scenario([(self.kib64, 1)]), unit="MiB", connections=32)

    def body10m(self):
        self.cost("body10m", Scenario([(self.mib10, 1)]), unit="MiB", connections=8)

    def routes1000(self):
        self.cost("routes1000", self.plain(routes=1000))

    def routes10000(self):
        self.cost("routes10000", self.plain(routes=10000))

    def canary(self):
        self.cost("canary", Scenario([(self.v1, 90), (self.v2, 10)]))

    def production(self):
        """The work of `browser` with all that a gateway in production does."""
        self.cost("production", self.plain(production=True), fields=self.fields)

    # TLS, HTTP/2, gRPC. All speak TLS 1.3 with X25519, TLS_AES_128_GCM_SHA256 and the same ECDSA P-256 certificate.

    def tls(self):
        """`small` over TLS."""
        self.cost("tls", self.plain(tls=True), tls="localhost")

    def h2tls(self):
        """HTTP/2 over TLS, HTTP/1.1 to the backend."""
        self.cost("h2tls", self.plain(tls=True), connections=10, generate=self.tools.h2load, tls=True, octets=SMALL)

    def h2c_up(self):
        """HTTP/2 in clear text on both sides."""
        scenario = Scenario(self.http2_backend(), http2=True, h2c_up=True)
        self.cost("h2c-up", scenario, connections=10, generate=self.tools.h2load, octets=SMALL)

    def grpc(self):
        """Unary gRPC in clear text: a message of 10 octets, one of 101 and a trailer back."""
        scenario = Scenario(self.http2_backend(), http2=True, grpc=True)
        self.cost("grpc", scenario, connections=10, generate=self.tools.h2load, message=self.message, octets=SMALL + 5)

    # Envoy signs with BoringSSL, the others with the same OpenSSL: those are each other's measure.
    SAME_LIBRARY = ("nginx", "haproxy")

    def handshake(self):
        self.cost("handshake", self.plain(tls=True), unit="handshake", connections=16, generate=self.tools.handshakes,
                  best_of=self.SAME_LIBRARY)

    def resume(self):
        self.cost("resume", self.plain(tls=True), unit="handshake", connections=16, generate=self.tools.handshakes,
                  best_of=self.SAME_LIBRARY, resume=True)

    def tls_idle(self):
        """PSS that an idle keep-alive connection over TLS holds, after one exchange."""
        rows, absent, idle = {}, {}, self.options.idle
        print(f"\ntls-idle: PSS of an idle TLS connection, the difference of {idle} of them; wanted: at most 12 KiB")
        for name in self.options.gateways:
            for gateway in self.start(self.plain(tls=True), [name], absent=absent):
                self.tools.load(gateway.port, duration=0.5, tls="localhost")
                octets, failed = self.idle_connection(gateway, tls="localhost")
                self.stop()
                rows[name] = {"idle_connection_octets": octets, "failed": failed}
                print(f"  {name:<14} {octets / 1024:>8.2f} KiB" + (f", {failed} failed" if failed else ""), flush=True)
        ours = rows.get("sluice", {}).get("idle_connection_octets")
        to = {n: ours / row["idle_connection_octets"] for n, row in rows.items() if ours and not n.startswith("sluice")}
        if to:
            print("  sluice to " + ", ".join(f"{peer} {ratio:.3f}" for peer, ratio in to.items()))
        print_absent(absent)
        self.results["tls-idle"] = {"rows": rows, "ratio_to": to, "absent": absent}

    def idle_connection(self, gateway, **options):
        """Octets of PSS for an idle connection, and how many could not be opened or were closed."""
        # Two steps, so that what a first connection sets up once is in neither end of the difference.
        first = IdleConnections(self.tools, gateway.port, 200, **options)
        low = pss_kib(gateway.pids())
        second = IdleConnections(self.tools, gateway.port, self.options.idle, **options)
        high = pss_kib(gateway.pids())
        ends = second.finish(), first.finish()
        return (high - low) * 1024 / self.options.idle, sum(end["failed"] + end["closed"] for end in ends)

    def scaling(self):
        """Sluice alone: 10,000 routes beside one route, in the same rounds."""
        few = self.start(self.plain(routes=2), ["sluice"])[0]
        many = gateways.ALL["sluice"](self.plain(routes=10000), self.folder, self.gateway_core)
        self.running.append(many)
        many.start()
        many.wait_ready("/r/00000")
        pairs, paths = [], {few: self.paths(2), many: self.paths(10000)}
        for _ in range(self.options.rounds + 1):
            cost = {}
            for gateway in (few, many):
                before = cpu_seconds(gateway.pids())
                seen = self.tools.load(gateway.port, duration=self.options.duration, paths=paths[gateway])
                cost[gateway] = (cpu_seconds(gateway.pids()) - before) * 1e6 / max(seen["requests"], 1)
            pairs.append((cost[few], cost[many]))
        self.stop()
        pairs = pairs[1:]  # The first round warmed up.
        result = {"few_us": statistics.median(p[0] for p in pairs), "many_us": statistics.median(p[1] for p in pairs),
                  "ratio": statistics.median(p[1] / p[0] for p in pairs)}
        self.results["scaling"] = result
        print(f"\nscaling: 10,000 routes {result['many_us']:.2f} us, few routes {result['few_us']:.2f} us, "
              f"ratio {result['ratio']:.3f}", flush=True)

    def latency(self):
        """p50 and p99 at a constant rate, counted from when each request was due."""
        started = self.start(self.plain(), self.options.gateways)
        rounds = {g.name: [] for g in started}
        for number in range(self.options.rounds):
            turn = number % len(started)
            for gateway in started[turn:] + started[:turn]:
                rounds[gateway.name].append(self.tools.load(
                    gateway.port, connections=64, rate=self.options.rate, warmup=0.3, duration=self.options.duration))
        self.stop()
        rows = {}
        print(f"\nlatency at {self.options.rate} requests/s, us from the moment a request was due")
        print(f"  {'gateway':<14} {'p50':>8} {'p99':>8} {'p99.9':>8} {'errors':>7}")
        for name, seen in rounds.items():
            row = {key: statistics.median(s["latency"][key] for s in seen) for key in ("p50", "p99", "p999")}
            row["errors"] = sum(errors(s) for s in seen)
            rows[name] = row
            print(f"  {name:<14} {row['p50']:>8.0f} {row['p99']:>8.0f} {row['p999']:>8.0f} {row['errors']:>7}", flush=True)
        self.results["latency"] = {"rate": self.options.rate, "rows": rows}

    def hop(self):
        """What a hop through the gateway of a group adds to a call, at half of the load that the weaker gateway can take,
        beside HAProxy's plain hop: the call to the backend itself is measured in the same rounds, and taken away."""
        names = [n for n in self.options.gateways if n in ("sluice", "haproxy")]
        started = self.start(self.plain(group=True), names)
        host = {"host": "app0.default"}
        most = {g.name: self.tools.load(g.port, connections=64, duration=1, warmup=0.5, **host)["rps"] for g in started}
        rate = round(min(most.values()) / 2)
        ports = [("direct", self.v1)] + [(g.name, g.port) for g in started]
        rounds = {name: [] for name, _ in ports}
        for number in range(self.options.rounds):
            turn = number % len(ports)
            for name, port in ports[turn:] + ports[:turn]:
                rounds[name].append(self.tools.load(
                    port, connections=64, rate=rate, warmup=0.3, duration=self.options.duration, **host))
        self.stop()
        rows = {}
        print(f"\nhop: latency at {rate} calls/s, half of the weaker gateway's most, us; added: less the direct call's")
        print(f"  {'way':<14} {'p50':>8} {'added':>8} {'p99':>8} {'added':>8} {'errors':>7}")
        for name, seen in rounds.items():
            row = {key: statistics.median(s["latency"][key] for s in seen) for key in ("p50", "p99")}
            for key in ("p50", "p99"):
                row[f"added_{key}"] = statistics.median(
                    s["latency"][key] - d["latency"][key] for s, d in zip(seen, rounds["direct"]))
            row["errors"] = sum(errors(s) for s in seen)
            rows[name] = row
            print(f"  {name:<14} {row['p50']:>8.0f} {row['added_p50']:>8.0f} {row['p99']:>8.0f} "
                  f"{row['added_p99']:>8.0f} {row['errors']:>7}", flush=True)
        self.results["hop"] = {"rate": rate, "most": most, "rows": rows}

    def memory(self):
        """PSS of all processes: at rest, with idle keep-alive connections, and with 10,000 routes and two workers."""
        idle = self.options.idle
        rows = {}
        print(f"\nmemory: PSS of all processes, KiB; an idle connection: the difference of {idle} of them")
        print(f"  {'gateway':<14} {'1 route':>10} {'octets/idle conn.':>18} {'10,000 routes, 2 workers':>26} {'warm':>8}")
        for name in [n for n in self.options.gateways if n in ("sluice", "nginx", "haproxy")]:
            gateway = self.start(self.plain(), [name])[0]
            self.tools.load(gateway.port, duration=0.5)
            rest = pss_kib(gateway.pids())
            octets, _ = self.idle_connection(gateway)
            self.stop()
            gateway = self.start(self.plain(routes=10000, workers=2), [name], pinned=False)[0]
            time.sleep(0.5)
            cold = pss_kib(gateway.pids())
            self.tools.load(gateway.port, duration=1, paths=self.paths(10000))
            warm = pss_kib(gateway.pids())
            self.stop()
            rows[name] = {"one_route_kib": rest, "idle_connection_octets": octets,
                          "routes10000_kib": cold, "routes10000_warm_kib": warm}
            print(f"  {name:<14} {rest:>10} {rows[name]['idle_connection_octets']:>18.0f} {cold:>26} {warm:>8}",
                  flush=True)
        self.results["memory"] = {"rows": rows}

    def reload(self):
        """Twenty reloads under a constant rate with 1,000 routes: failures, idle connections closed, latency."""
        rows = {}
        print(f"\nreload: 20 reloads with 1,000 routes at {self.options.rate} requests/s; p99 beside the same without")
        print(f"  {'gateway':<14} {'failed':>7} {'idle closed':>12} {'told to close':>14} {'p99 quiet':>10} "
              f"{'p99 reloads':>12} {'ratio':>6} {'took effect':>12}")
        for name in [n for n in self.options.gateways if n in ("sluice", "nginx", "haproxy")]:
            # Not pinned: a reload is the controller's work, and it has its own processor where there are two.
            gateway = self.start(self.plain(routes=1000), [name], pinned=False)[0]
            load = {"connections": 64, "rate": self.options.rate, "paths": self.paths(1000)}
            self.tools.load(gateway.port, duration=1, **load)
            idle = IdleConnections(self.tools, gateway.port, 200, path="/r/00000")
            quiet = self.tools.load(gateway.port, duration=self.options.reload_seconds, **load)
            generation = sluice_generation(gateway)
            process = self.tools.load_process(gateway.port, duration=self.options.reload_seconds, **load)
            pause = self.options.reload_seconds / 22
            for number in range(20):
                time.sleep(pause)
                if name == "sluice":
                    gateway.write_manifests(mark=str(number + 1))
                gateway.reload()
            out, _ = process.communicate(timeout=self.options.reload_seconds + 20)
            busy = json.loads(out)
            after = sluice_generation(gateway)
            closed = idle.finish()["closed"]
            self.stop()
            row = {"failed": errors(busy), "idle_closed": closed, "told": busy["closed_told"],
                   "p99_quiet": quiet["latency"]["p99"], "p99_reloads": busy["latency"]["p99"],
                   "ratio": busy["latency"]["p99"] / quiet["latency"]["p99"],
                   "generations": None if after is None else after - generation}
            rows[name] = row
            print(f"  {name:<14} {row['failed']:>7} {closed:>12} {row['told']:>14} {row['p99_quiet']:>10.0f} "
                  f"{row['p99_reloads']:>12.0f} {row['ratio']:>6.2f} {row['generations'] or '-':>12}", flush=True)
        self.results["reload"] = {"rows": rows}

    def startup(self):
        """From exec to the first right answer, with 10,000 routes."""
        rows = {}
        print("\nstartup: from exec to the first right answer, 10,000 routes, two workers, ms")
        for name in [n for n in self.options.gateways if n in ("sluice", "nginx", "haproxy")]:
            times = []
            for _ in range(max(3, self.options.rounds)):
                gateway = gateways.ALL[name](self.plain(routes=10000, workers=2), self.folder, None)
                self.running.append(gateway)
                command = gateway.configure  # Writing the files is not part of the start.
                prepared = command()
                gateway.configure = lambda prepared=prepared: prepared
                begun = time.monotonic()
                gateway.start()
                gateway.wait_ready("/r/09999")
                times.append((time.monotonic() - begun) * 1000)
                self.stop()
            rows[name] = {"median_ms": statistics.median(times), "best_ms": min(times)}
            print(f"  {name:<14} median {rows[name]['median_ms']:.0f}, best {rows[name]['best_ms']:.0f}", flush=True)
        self.results["startup"] = {"rows": rows}


def errors(seen):
    return seen["failed"] + seen["not_200"] + seen["timed_out"]


def sluice_generation(gateway):
    if not gateway.name.startswith("sluice"):
        return None
    import urllib.request
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/api/config", timeout=5) as answer:
        return json.load(answer)["generation"]


def print_absent(absent):
    for gateway, reason in absent.items():
        print(f"  {gateway:<14} not measured: {reason}", flush=True)


def summarise(rounds, best_of=None):
    rows = {}
    peers = [n for n in rounds if not n.startswith("sluice")]
    rivals = [n for n in peers if best_of is None or n in best_of]
    for name, seen in rounds.items():
        ratios = []
        for number, one in enumerate(seen):
            best = min((rounds[p][number]["cpu_us"] for p in rivals), default=None)
            if best:
                ratios.append(one["cpu_us"] / best)
        to = {p: statistics.median(a["cpu_us"] / b["cpu_us"] for a, b in zip(seen, rounds[p]) if b["cpu_us"])
              for p in peers if p != name}
        shares = {}
        for one in seen:
            for backend, count in one["backends"].items():
                shares[backend] = shares.get(backend, 0) + count
        rows[name] = {
            "cpu_us": statistics.median(s["cpu_us"] for s in seen), "all_cpu_us": [s["cpu_us"] for s in seen],
            "ratio": statistics.median(ratios) if ratios else None, "ratio_to": to,
            "rps": statistics.median(s["rps"] for s in seen), "busy": statistics.median(s["busy"] for s in seen),
            "p50": median_if_known(s["latency"]["p50"] for s in seen),
            "p99": median_if_known(s["latency"]["p99"] for s in seen),
            "errors": sum(errors(s) for s in seen), "backends": shares, "agreed": seen[-1].get("agreed")}
    return rows


def median_if_known(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


SCENARIOS = ["small", "wrk", "browser", "body64k", "body10m", "routes1000", "routes10000", "canary", "production", "tls", "h2tls",
             "h2c-up", "grpc", "handshake", "resume", "tls-idle", "scaling", "latency", "hop", "memory", "reload", "startup"]


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%d %H:%M"), "load_average": os.getloadavg()}


def main():
    parser = argparse.ArgumentParser(description="Measures Sluice beside nginx, HAProxy and Envoy.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)} (default: all)")
    parser.add_argument("--sluice", default=".build/release/sluice", help="the binary to measure")
    parser.add_argument("--gateways", default="sluice,nginx,haproxy,envoy",
                        help="which to compare, also sluice-log, nginx-equal, haproxy-equal")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--duration", type=float, default=2, help="seconds a measurement")
    parser.add_argument("--rate", type=int, default=5000, help="requests a second where the rate is constant")
    parser.add_argument("--idle", type=int, default=8000, help="idle connections for the memory figure")
    parser.add_argument("--reload-seconds", type=float, default=10)
    parser.add_argument("--quick", action="store_true", help="three short rounds: a look, not a figure")
    parser.add_argument("--keep", action="store_true", help="keep the configurations and outputs")
    options = parser.parse_args()
    options.gateways = options.gateways.split(",")
    for name in options.scenarios:
        if name not in SCENARIOS:
            parser.error(f"no scenario '{name}'; there are {', '.join(SCENARIOS)}")
    for name in options.gateways:
        if name not in gateways.ALL:
            parser.error(f"no gateway '{name}'; there are {', '.join(gateways.ALL)}")
    if options.quick:
        options.rounds, options.duration, options.reload_seconds = 3, 0.7, 5
    gateways.Sluice.binary = os.path.abspath(options.sluice)
    os.environ["PATH"] += ":/usr/sbin"

    folder = tempfile.mkdtemp(prefix="sluice-bench-")
    os.chmod(folder, 0o755)  # nginx's worker is another user when root starts it.
    bench = Bench(options, folder)
    failed = []
    try:
        for name in options.scenarios or SCENARIOS:
            if name == "scaling" and "sluice" not in options.gateways:
                continue
            try:
                getattr(bench, name.replace("-", "_"))()
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed.append(name)
                print(f"\n{name}: could not be measured: {error}", flush=True)
                bench.stop()
    finally:
        bench.close()
        if options.keep:
            print(f"\nkept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    path = results / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps({"machine": machine(), "results": bench.results}, indent=1))
    print(f"\nwritten to {os.path.relpath(path)}")
    for what in bench.broken:
        print(f"not measured: {what}")
    return 1 if failed or bench.broken else 0


if __name__ == "__main__":
    sys.exit(main())
