#!/usr/bin/env python3
"""Kills a whole gateway again and again while clients ask, with a guard beside it and a central gateway behind that.

    loadtest/group/guard.py [--rounds 20] [--rate 1000] [--clients 50]

Half of the clients keep their connections for 100 requests, half take a new one for each. Prints what happened in each
round, and ends with status 1 when a connection was refused, when more than one request was lost for a connection that was
open at the moment, or when new connections were not served by the gateway itself within a second of its start.
"""

import argparse
import asyncio
import os
import sys
import time

import common


async def main(options):
    stage = common.Stage()
    ports = {name: common.free_port() for name in ("local", "central", "gateway", "hub")}
    servers = [await common.serve(name, ports[name]) for name in ("local", "central")]
    stage.write("hub.yaml", common.manifest(ports["hub"], ports["central"]))
    stage.write("gateway.yaml", common.manifest(ports["gateway"], ports["local"], f"127.0.0.1:{ports['hub']}"))
    socket = os.path.join(stage.folder, "guard.socket")
    quiet = ("--access-log", "off", "--admin", "off")

    def start():
        return stage.start(
            "gateway", "run", "--workers", "2", *quiet, "--guard", socket, os.path.join(stage.folder, "gateway.yaml"))

    async def until(what, who):
        end = time.monotonic() + 20
        while await asyncio.to_thread(common.answers, ports["gateway"]) != who:
            if time.monotonic() > end:
                raise SystemExit(f"waited 20 s for {what}\n{stage.log('gateway')}\n{stage.log('guard')}")

    try:
        stage.start("hub", "run", "--workers", "2", *quiet, os.path.join(stage.folder, "hub.yaml"))
        stage.start("guard", "guard", "--socket", socket)
        gateway = start()
        await until("the gateway", "local")
        while "the guard is there" not in stage.log("gateway"):
            await asyncio.sleep(0.05)
        half = options.clients // 2
        loads = [
            common.Load(ports["gateway"], half, options.rate / 2, 100),
            common.Load(ports["gateway"], half, options.rate / 2, 1),
        ]
        running = [asyncio.create_task(load.run()) for load in loads]
        await asyncio.sleep(1)
        failures = []
        for number in range(1, options.rounds + 1):
            before = sum(load.tally.broken for load in loads)
            open_now = sum(sum(load.is_open) for load in loads)
            common.kill_family(gateway)
            killed = time.monotonic()
            await until("the central gateway", "central")
            away = time.monotonic() - killed
            await asyncio.sleep(0.5)
            gateway = start()
            began = time.monotonic()
            await until("the gateway again", "local")
            back = time.monotonic() - began
            await asyncio.sleep(0.5)
            broken = sum(load.tally.broken for load in loads) - before
            print(
                f"round {number}: {open_now} connections open, {broken} requests lost, the guard answered after "
                f"{away * 1000:.0f} ms, the gateway {back * 1000:.0f} ms after its start", flush=True)
            if broken > open_now:
                failures.append(f"round {number}: {broken} requests were lost on {open_now} connections")
            if back > 1:
                failures.append(f"round {number}: the gateway served after {back:.2f} s")
        for load in loads:
            load.is_stopped = True
        await asyncio.gather(*running)
        for name, load in (("kept connections", loads[0]), ("new connections", loads[1])):
            print(f"{name}: {load.tally}")
            if load.tally.refused or load.tally.unmade:
                failures.append(f"{name}: {load.tally.refused} refused, {dict(load.tally.unmade)} unmade")
            if load.tally.wrong:
                failures.append(f"{name}: answers {dict(load.tally.wrong)}")
        for failure in failures:
            print("FAILED", failure)
        return 1 if failures else 0
    finally:
        stage.end()
        for server in servers:
            server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    sys.exit(asyncio.run(main(parser.parse_args())))
