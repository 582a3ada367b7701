#!/usr/bin/env python3
"""Kills a worker of a central gateway every second while clients ask on many connections.

    loadtest/group/workers.py [--seconds 60] [--clients 1000] [--rate 1000] [--through local|itself]

`local`: through a local gateway, which asks again: nobody may notice. `itself`: directly, where each kill may cost one
request of each connection that the worker had, and nothing else. Ends with status 1 when that is not so.
"""

import argparse
import asyncio
import os
import signal
import sys
import time

import common


async def main(options):
    stage = common.Stage()
    ports = {name: common.free_port() for name in ("backend", "gateway", "hub", "nobody")}
    server = await common.serve("served", ports["backend"])
    stage.write("hub.yaml", common.manifest(ports["hub"], ports["backend"]))
    # The local gateway's own backend is gone for good: everything goes to the central one.
    stage.write("gateway.yaml", common.manifest(ports["gateway"], ports["nobody"], f"127.0.0.1:{ports['hub']}"))
    quiet = ("--access-log", "off", "--admin", "off")
    try:
        hub = stage.start("hub", "run", "--workers", "2", *quiet, os.path.join(stage.folder, "hub.yaml"))
        stage.start("gateway", "run", "--workers", "2", *quiet, os.path.join(stage.folder, "gateway.yaml"))
        port = ports["gateway"] if options.through == "local" else ports["hub"]
        while await asyncio.to_thread(common.answers, port) != "served":
            await asyncio.sleep(0.05)
        load = common.Load(port, options.clients, options.rate, 0)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(3)
        kills, most = 0, 0
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            before = load.tally.broken
            workers = [pid for pid in common.children(hub.pid) if "worker" in common.title(pid)]
            if workers:
                os.kill(workers[kills % len(workers)], signal.SIGKILL)
                kills += 1
            await asyncio.sleep(1)
            most = max(most, load.tally.broken - before)
        load.is_stopped = True
        await running
        print(f"through {options.through}: {kills} workers killed, {load.tally}, most lost by one kill {most}")
        if options.through == "local":
            bad = load.tally.broken + load.tally.refused + sum(load.tally.wrong.values()) > 0
        else:
            bad = load.tally.refused > 0 or most > options.clients or bool(load.tally.wrong)
        print("FAILED" if bad else "as it should be")
        return 1 if bad else 0
    finally:
        stage.end()
        server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--through", choices=("local", "itself"), default="local")
    sys.exit(asyncio.run(main(parser.parse_args())))
