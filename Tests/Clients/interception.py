#!/usr/bin/env python3
"""Interception in network namespaces: a gateway with its kernel rules, and clients that know nothing of it.

Run as root in a network namespace of its own (`unshare --net`), with the path of the sluice program, `redirect` or `tproxy`,
and `deny` or `allow` (sluice.dev/egress), or `wrong`: as `allow`, but the rules spare another user than the gateway's. Prints `CASE OUTCOME` lines and, at the end, `done`; `failed REASON` where the place cannot be made.

    redirect: clients are in this namespace, the gateway's workers run as user nobody.
    tproxy: clients are in a second namespace, whose way to everybody leads through this one.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

from report import fail, say

SLUICE, MODE, EGRESS = sys.argv[1:4]
IS_WRONG = EGRESS == "wrong"
if IS_WRONG:
    EGRESS = "allow"
PORT = 15001
VIP = {"v4": "10.96.0.1", "v6": "fd00:96::1"}
POD = {"v4": "10.1.0.1", "v6": "fd00:1::1"}
OUTSIDE = {"v4": "192.0.2.9", "v6": "2001:db8::9"}
# Hosts outside that are there.
ELSEWHERE = {"v4": "10.3.0.1", "v6": "fd00:3::1"}
# Where a.wild.test is, which only a route leads to.
WILD = {"v4": "10.4.0.1", "v6": "fd00:4::1"}
CHILDREN = []


def run(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        fail(f"{' '.join(words)}: {done.stdout.strip()}")
    return done.stdout


def start(*words, **options):
    child = subprocess.Popen(words, **options)
    CHILDREN.append(child)
    return child


def name_server(port):
    """Knows a.wild.test, and nobody else."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))

    def answer():
        while True:
            query, peer = server.recvfrom(512)
            end = query.index(b"\0", 12) + 5
            kind = int.from_bytes(query[end - 4:end - 2], "big")
            family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
            known = family and query[12:].startswith(b"\x01a\x04wild\x04test\0")
            address = socket.inet_pton(family, WILD["v4" if kind == 1 else "v6"]) if known else b""
            head = query[:2] + (b"\x81\x80" if known else b"\x81\x83") + b"\0\1" + (b"\0\1" if known else b"\0\0") + b"\0" * 4
            record = b"\xc0\x0c" + query[end - 4:end] + b"\0\0\0\x3c" + len(address).to_bytes(2, "big") + address
            server.sendto(head + query[12:end] + (record if known else b""), peer)

    threading.Thread(target=answer, daemon=True).start()


def serve(address, greets):
    """A backend of octets: perhaps it speaks first, then it sends back what comes."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.create_server(address, family=family, backlog=16)

    def one(connection):
        with connection:
            if greets:
                connection.sendall(b"greeting\n")
            while octets := connection.recv(4096):
                connection.sendall(octets)

    def accept():
        while True:
            threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def manifests(folder):
    def slices(family, kind):
        return f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-{family}, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}
addressType: {kind}
ports: [{{name: http, port: 8080}}, {{name: tcp, port: 9000}}, {{name: db, port: 3306}}]
endpoints: [{{addresses: ["{POD[family]}"]}}]
---
"""
    text = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: front
  namespace: shop
  annotations: {{sluice.dev/group: by-name, sluice.dev/transparent: {MODE}, sluice.dev/egress: {EGRESS}}}
spec:
  gatewayClassName: sluice
  listeners: [{{name: all, protocol: HTTP, port: {PORT}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop, labels: {{sluice.dev/gateway: front}}}}
spec:
  clusterIP: {VIP["v4"]}
  clusterIPs: ["{VIP["v4"]}", "{VIP["v6"]}"]
  ports:
  - {{name: http, port: 80, appProtocol: http}}
  - {{name: tcp, port: 9000, appProtocol: tcp}}
  - {{name: db, port: 3306}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {{name: any, namespace: shop}}
spec: {{type: DynamicResolver}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {{name: wild, namespace: shop}}
spec:
  parentRefs: [{{name: front}}]
  hostnames: ["*.wild.test"]
  rules: [{{backendRefs: [{{group: gateway.envoyproxy.io, kind: Backend, name: any}}]}}]
---
""" + slices("v4", "IPv4") + slices("v6", "IPv6")
    with open(folder + "/front.yaml", "w") as file:
        file.write(text)


# What a client does; run in its namespace by this very file.
CLIENT = """
import socket, ssl, sys
what, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
hello = b""
if what == "tls":
    # Made before, so that it comes at once.
    outgoing = ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=sys.argv[4])
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read()
try:
    with socket.create_connection((host, port), timeout=10) as s:
        if what == "first":
            got = s.recv(100)
        elif what == "echo":
            s.sendall(b"hello\\n"); got = s.recv(100); s.shutdown(socket.SHUT_WR); got += s.recv(100)
        elif what == "tls":
            # Whoever is there sends the ClientHello back, which is no answer to one.
            s.sendall(hello); got = s.recv(len(hello), socket.MSG_WAITALL)
            got = b"passed on" if got == hello else b"end" if not got else b"other"
        else:
            name = sys.argv[4]
            s.sendall(b"GET /who HTTP/1.1\\r\\nHost: " + name.encode() + b"\\r\\nConnection: close\\r\\n\\r\\n")
            got = b""
            while more := s.recv(65536):
                got += more
            got = got[:12] + (b" web" if b'"pod":"web"' in got.replace(b" ", b"") else b"")
        print(got.decode().strip())
except Exception as error:
    print(type(error).__name__)
"""


def main():
    run("ip", "link", "set", "lo", "up")
    for family, length in (("v4", ["32"]), ("v6", ["128", "nodad"])):
        for address in [POD, WILD] + ([ELSEWHERE] if MODE == "redirect" else []):
            run("ip", "addr", "add", f"{address[family]}/{length[0]}", "dev", "lo", *length[1:])
    inside = []
    if MODE == "redirect":
        # Somewhere to send what is meant for others; the rules take it before it is sent.
        run("ip", "link", "add", "away", "type", "veth", "peer", "name", "nobody")
        run("ip", "link", "set", "away", "up")
        run("ip", "link", "set", "nobody", "up")
        run("ip", "route", "add", "default", "dev", "away", "src", POD["v4"])
        # The address may take a moment until it can be used.
        route = ["ip", "-6", "route", "add", "default", "dev", "away", "src", POD["v6"]]
        for _ in range(200):
            if subprocess.run(route, stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.05)
        else:
            run(*route)
    else:
        client = start("unshare", "--net", "sleep", "300")
        # Until the child has a namespace of its own.
        mine = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{client.pid}/ns/net") == mine:
            time.sleep(0.01)
        inside = ["nsenter", "--net", f"--target={client.pid}"]
        run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(client.pid))
        for place, device, end in (([], "here", 1), (inside, "there", 2)):
            run(*place, "ip", "addr", "add", f"10.2.0.{end}/24", "dev", device)
            run(*place, "ip", "addr", "add", f"fd00:2::{end}/64", "dev", device, "nodad")
            run(*place, "ip", "link", "set", device, "up")
        run(*inside, "ip", "route", "add", "default", "via", "10.2.0.1")
        run(*inside, "ip", "-6", "route", "add", "default", "via", "fd00:2::1")

    for family in POD:
        serve((POD[family], 9000), greets=False)
        serve((POD[family], 3306), greets=True)
        serve((WILD[family], 9443), greets=False)
        if MODE == "redirect":
            serve((ELSEWHERE[family], 3306), greets=True)
            serve((ELSEWHERE[family], 9443), greets=False)
            there = f"[{ELSEWHERE[family]}]:8080" if family == "v6" else f"{ELSEWHERE[family]}:8080"
            start(SLUICE, "echo", "--listen", there, "--name", "web", stderr=subprocess.DEVNULL)
        address = f"[{POD[family]}]:8080" if family == "v6" else f"{POD[family]}:8080"
        start(SLUICE, "echo", "--listen", address, "--name", "web", stderr=subprocess.DEVNULL)
    folder = tempfile.mkdtemp(dir="/tmp")
    # The controller reads it as nobody.
    os.chmod(folder, 0o755)
    manifests(folder)
    log = open(folder + "/log", "w")
    name_server(5300)
    start(
        SLUICE, "run", "--workers", "1", "--user", "nobody", "--dns-server", "127.0.0.1:5300", folder, stdout=log,
        stderr=log)
    for _ in range(600):
        if subprocess.run(["curl", "-sf", "-o", "/dev/null", "http://127.0.0.1:15000/readyz"]).returncode == 0:
            break
        time.sleep(0.05)
    else:
        log.flush()
        fail("the gateway is not ready: " + open(folder + "/log").read())

    wish = [SLUICE, "intercept", "--mode", MODE, "--port", str(PORT)]
    if MODE == "redirect":
        wish += ["--user", "daemon" if IS_WRONG else "nobody"]
    run("nft", "-f", "-", input=run(*wish))
    if MODE == "tproxy":
        run("sh", "-e", input=run(*wish, "--routes"))

    def ask(case, *words):
        # As root, whom the rules mean.
        print_out = subprocess.run([*inside, sys.executable, "-c", CLIENT, *words], stdout=subprocess.PIPE, text=True)
        say(case, print_out.stdout.strip())

    for family in VIP if not IS_WRONG else []:
        ask(f"{family}-http", "http", VIP[family], "80", "any.name")
        ask(f"{family}-declared-tcp", "echo", VIP[family], "9000")
        ask(f"{family}-server-first", "first", VIP[family], "3306")
        ask(f"{family}-endpoint-itself", "echo", POD[family] if MODE == "redirect" else VIP[family], "9000")
        ask(f"{family}-no-such-port", "echo", VIP[family], "81")
        if EGRESS == "deny":
            ask(f"{family}-outside-http", "http", OUTSIDE[family], "80", "web.elsewhere")
            ask(f"{family}-outside-octets", "echo", OUTSIDE[family], "9000")
        # Nobody is at the address: the route's name leads.
        ask(f"{family}-outside-wild-tls", "tls", OUTSIDE[family], "9443", "a.wild.test")
        if MODE == "redirect":
            there = f"[{ELSEWHERE[family]}]:8080" if family == "v6" else f"{ELSEWHERE[family]}:8080"
            ask(f"{family}-elsewhere-octets", "first", ELSEWHERE[family], "3306")
            ask(f"{family}-elsewhere-http", "http", ELSEWHERE[family], "8080", there)
            ask(f"{family}-elsewhere-tls", "tls", ELSEWHERE[family], "9443", "none.test")
        gateway = "127.0.0.1" if family == "v4" else "::1"
        if MODE == "tproxy":
            gateway = "10.2.0.1" if family == "v4" else "fd00:2::1"
        ask(f"{family}-gateway-itself", "http", gateway, str(PORT), "web.shop")
    for family in VIP if IS_WRONG else []:
        there = f"[{ELSEWHERE[family]}]:8080" if family == "v6" else f"{ELSEWHERE[family]}:8080"
        for _ in range(3):
            ask(f"{family}-elsewhere-octets", "first", ELSEWHERE[family], "3306")
            ask(f"{family}-elsewhere-http", "http", ELSEWHERE[family], "8080", there)
            ask(f"{family}-http", "http", VIP[family], "80", "any.name")
    metrics = subprocess.run(
        ["curl", "-s", "http://127.0.0.1:15000/metrics"], stdout=subprocess.PIPE, text=True).stdout
    for line in metrics.splitlines():
        if line.startswith(("sluice_egress_denied_total{", "sluice_intercepted_")):
            say("metric", line)
    run("nft", "-f", "-", input=run(*wish, "--undo"))
    if MODE == "tproxy":
        run("sh", "-e", input=run(*wish, "--routes", "--undo"))
    say("tables", len(run("nft", "list", "tables").split()))
    log.flush()
    for line in open(folder + "/log"):
        if "was denied" in line or "are intercepted" in line:
            say("log", line.strip())
    say("done")


try:
    main()
finally:
    for child in CHILDREN:
        child.terminate()
