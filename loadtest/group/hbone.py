"""What HBONE with mutual TLS costs: 1,000 requests a second with answers of 1 KiB through a waypoint.

    loadtest/load ─HTTP─▶ a Sluice ─HBONE─▶ the waypoint, which is measured ─HTTP─▶ loadtest/backend

The Sluice in front does what a node's proxy does: it carries its callers' connections through CONNECT streams of one TLS
connection. Measured is the waypoint alone, with its whole family of processes: processor time and PSS.

    loadtest/group/hbone.py [--sluice .build/release/sluice] [--rounds 5] [--duration 10]
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from measure import Tools, cpu_seconds, free_port, pss_kib  # noqa: E402

# Half of what Istio publishes for a waypoint: 0.25 of a core and 60 MB for 1,000 requests a second of 1 KiB.
CORES, KIB = 0.12, 30 * 1024

SERVICE = """---
apiVersion: v1
kind: Service
metadata: {{name: app, namespace: shop, labels: {{{labels}}}, annotations: {{{annotations}}}}}
spec: {{ports: [{{port: 80, targetPort: {port}, appProtocol: http}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: app-1, namespace: shop, labels: {{kubernetes.io/service-name: app}}}}
addressType: IPv4
ports: [{{port: {port}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
"""

GATEWAY = """---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: {name}
  namespace: shop
  annotations: {{sluice.dev/cert-file: {name}/tls.crt, sluice.dev/key-file: {name}/tls.key, sluice.dev/ca-file: {name}/ca.crt}}
spec:
  gatewayClassName: sluice
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: all, port: {port}, protocol: {protocol}}}]
"""

ROUTE = """---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all, namespace: shop}
spec:
  parentRefs: [{name: front}]
  rules: [{backendRefs: [{name: app, port: 80}]}]
"""


def family(process):
    """The process and all below it."""
    pids, waiting = [], [process.pid]
    while waiting:
        pid = waiting.pop()
        pids.append(pid)
        for task in Path(f"/proc/{pid}/task").iterdir():
            waiting += [int(child) for child in (task / "children").read_text().split()]
    return pids


def start(binary, folder, name, text, core):
    (folder / f"{name}.yaml").write_text(text)
    command = [] if core is None else ["taskset", "-c", str(core)]
    command += [binary, "run", str(folder / f"{name}.yaml"), "--workers", "1", "--admin", f"unix:{folder}/{name}.admin",
                "--access-log", "off"]
    output = open(folder / f"{name}.log", "wb")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default=".build/release/sluice")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=10)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=32, help="callers' connections, each a stream of HBONE")
    options = parser.parse_args()
    binary = os.path.abspath(options.sluice)
    folder = Path(tempfile.mkdtemp(prefix="sluice-hbone-"))
    cores = sorted(os.sched_getaffinity(0))
    measured, others = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    tools = Tools(Path(__file__).parent.parent / "build", others)
    started = []
    try:
        subprocess.run([binary, "cert", "ca", "--out", folder / "ca"], check=True, stdout=subprocess.DEVNULL)
        for name in ("front", "waypoint"):
            subprocess.run([binary, "cert", "workload", "--namespace", "shop", "--service-account", name, "--ca",
                            folder / "ca", "--out", folder / name], check=True, stdout=subprocess.DEVNULL)
        backend, front, gate = free_port(), free_port(), free_port()
        started.append(tools.backend([f"127.0.0.1:{backend}=1024,v1"]))
        waypoint = start(
            binary, folder, "waypoint", GATEWAY.format(name="waypoint", port=gate, protocol="HBONE")
            + SERVICE.format(port=backend, labels="istio.io/use-waypoint: waypoint", annotations=""), measured)
        started.append(waypoint)
        started.append(start(
            binary, folder, "front", GATEWAY.format(name="front", port=front, protocol="HTTP") + ROUTE
            + SERVICE.format(port=backend, labels="", annotations=(
                f"sluice.dev/hbone: 'true', sluice.dev/hbone-port: '{gate}', sluice.dev/service-account: waypoint")),
            others))
        load = {"connections": options.connections, "rate": options.rate, "host": "app.shop"}
        for _ in range(100):
            try:
                if tools.load(front, connections=1, duration=0.2)["not_200"] == 0:
                    break
            except (RuntimeError, subprocess.TimeoutExpired):
                pass
            time.sleep(0.2)
        else:
            raise RuntimeError(f"the gateways did not start; see {folder}")
        rest = pss_kib(family(waypoint))
        rows = []
        for _ in range(options.rounds):
            process = tools.load_process(front, warmup=1, duration=options.duration, **load)
            time.sleep(1.5)
            pids = family(waypoint)
            before, began = cpu_seconds(pids), time.monotonic()
            time.sleep(options.duration - 1.5)
            used, took = cpu_seconds(pids) - before, time.monotonic() - began
            memory = pss_kib(pids)
            answer = json.loads(process.communicate(timeout=30)[0])
            rows.append({"cores": used / took, "pss_kib": memory, "rps": answer["rps"],
                         "p50": answer["latency"]["p50"], "p99": answer["latency"]["p99"],
                         "wrong": answer["failed"] + answer["not_200"] + answer["timed_out"]})
        middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        print(f"hbone: {options.rate} requests/s of 1 KiB by {options.connections} streams, mutual TLS; the waypoint alone")
        print(f"  processor  {middle['cores']:.3f} of a core (wanted: at most {CORES})")
        print(f"  memory     {middle['pss_kib'] / 1024:.1f} MiB PSS (wanted: at most {KIB // 1024}); at rest "
              f"{rest / 1024:.1f}")
        print(f"  answered   {middle['rps']:.0f}/s, p50 {middle['p50']:.0f} us, p99 {middle['p99']:.0f} us over both "
              f"gateways, {sum(row['wrong'] for row in rows)} wrong")
        print(json.dumps({"hbone": {"rest_kib": rest, "rounds": rows}}))
        right = middle["cores"] <= CORES and middle["pss_kib"] <= KIB and not sum(row["wrong"] for row in rows)
        sys.exit(0 if right else 1)
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
