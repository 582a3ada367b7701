#!/usr/bin/env python3
"""Counts a worker's user instructions for one keep-alive exchange and compares them with a stored budget.

The release binary serves over loopback with its worker under callgrind. Requests come one after the other on one
connection, so each is the same work; two runs differ only in their number, and the difference of their counts, divided
by the difference of their numbers, is one exchange without start, warm-up and end. The kernel's instructions are not
counted. `--update` writes the counts as the new budget.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import gateways
from bench import BROWSER, SMALL
from measure import Tools, free_port

HERE = Path(__file__).parent
BUDGET = HERE / "instructions.budget"
FEW, MANY = 500, 2500
TOLERANCE = 0.03
# name: (fields, access log, octets of the answer's body)
SCENARIOS = {
    "plain": ("", "off", SMALL),
    "browser": (BROWSER, "off", SMALL),
    "browser-logged": (BROWSER, "text", SMALL),
}


class Counted(gateways.Sluice):
    """Sluice with its worker under callgrind."""

    def count(self, preload, tools, number, **load):
        counts = self.folder / "counts"
        # The other processes' environment is untouched: the library takes itself out before it starts them.
        self.environment = dict(os.environ, LD_PRELOAD=str(preload), COUNT_BINARY=self.binary, COUNT_OUT=str(counts))
        command = self.configure()
        self.output = open(self.folder / "output", "wb")
        self.process = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            start_new_session=True)
        try:
            self.wait_ready("/r/00000", seconds=60)
            seen = tools.load(self.port, connections=1, duration=60, count=number, **load)
            if seen["failed"] or seen["not_200"] or seen["requests"] < number:
                raise RuntimeError(f"{seen['requests']} of {number} requests were answered rightly: {seen}")
            # A drain, so that the worker ends by itself and callgrind writes what it counted.
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)
        finally:
            self.stop()
        text = counts.read_text() if counts.exists() else ""
        total = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
        if not total:
            raise RuntimeError(f"callgrind wrote no counts: {(self.folder / 'output').read_text()[-2000:]}")
        return int(total.group(1))


def measure(name, preload, tools, folder):
    fields, log, octets = SCENARIOS[name]
    fields_file = folder / "fields"
    fields_file.write_text(fields.replace("\n", "\r\n"))
    paths = folder / "paths"
    paths.write_text("".join(f"/r/{n:05}/item?id={n}\n" for n in range(100)))
    port = free_port()
    backend = tools.backend([f"127.0.0.1:{port}={octets}"])
    try:
        totals = []
        for number in (FEW, MANY):
            gateway = Counted(gateways.Scenario([(port, 1)], routes=100), folder, None)
            gateway.log = "off" if log == "off" else f"{log}:{gateway.folder}/access.log"
            totals.append(gateway.count(preload, tools, number, paths=paths, fields=fields_file))
        return round((totals[1] - totals[0]) / (MANY - FEW))
    finally:
        backend.kill()
        backend.wait()


def main():
    parser = argparse.ArgumentParser(description="Instructions of a worker for one exchange, against the budget.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)} (default: all)")
    parser.add_argument("--sluice", default=".build/release/sluice", help="the binary to measure")
    parser.add_argument("--update", action="store_true", help="write the counts as the new budget")
    parser.add_argument("--keep", action="store_true", help="keep callgrind's files, for callgrind_annotate")
    options = parser.parse_args()
    for name in options.scenarios:
        if name not in SCENARIOS:
            parser.error(f"no scenario '{name}'; there are {', '.join(SCENARIOS)}")
    gateways.Sluice.binary = os.path.abspath(options.sluice)
    budget = {}
    if BUDGET.exists():
        for line in BUDGET.read_text().splitlines():
            if line and not line.startswith("#"):
                name, count = line.split()
                budget[name] = int(count)

    folder = Path(tempfile.mkdtemp(prefix="sluice-count-"))
    over = False
    try:
        tools = Tools(HERE / "build", None)
        preload = folder / "count_worker.so"
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", str(preload),
                        str(HERE / "count_worker.c")], check=True)
        for name in options.scenarios or SCENARIOS:
            count = measure(name, preload, tools, folder)
            if name in budget and count > budget[name] * (1 + TOLERANCE):
                # On a busy machine more comes to each exchange of what is done by the clock: the lower count is truer.
                count = min(count, measure(name, preload, tools, folder))
            if options.update:
                budget[name] = count
            allowed = budget.get(name)
            verdict = ""
            if allowed is None:
                over, verdict = True, "no budget is stored"
            elif count > allowed * (1 + TOLERANCE):
                over, verdict = True, f"MORE than {TOLERANCE:.0%} above the budget"
            elif count < allowed * (1 - TOLERANCE):
                verdict = "below the budget: lower it with loadtest/instructions.py --update"
            print(f"instructions: {name:<16} {count:>7} for each exchange, budget {allowed} {verdict}".rstrip(), flush=True)
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if options.update:
        BUDGET.write_text("# User instructions of a worker for one keep-alive exchange (loadtest/instructions.py).\n"
                          + "".join(f"{name} {count}\n" for name, count in budget.items()))
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
