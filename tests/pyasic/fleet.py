"""pyasic, unmodified, against virtual machines: scan, read, switch pools, sleep, wake, light, restart.

Two gateways on simulated chains are the pools. Three machines of each firmware release stand on a net of
loopback. Whatever pyasic is told is compared with what the gateways' own figures say. A machine that wakes
or restarts takes its three minutes, as a real one does, so the releases are checked side by side.
"""

import asyncio
import contextlib
import json
import logging
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import pyasic
from pyasic.network import MinerNetwork

RELEASES = ["2022-01", "2022-11", "2023-01", "2024-05"]
MACHINES = 3
GUARD_S = 600


class Program:
    """One silverlode, ended when the block ends."""

    def __init__(self, binary, folder, name, words, settings=""):
        home = pathlib.Path(folder) / name
        home.mkdir()
        (home / "silverlode.yaml").write_text(settings)
        self.log = open(home / "log", "wb")
        command = [binary, *words, "--config", str(home / "silverlode.yaml"), "--data", str(home / "data")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log, cwd=home)
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "killed"
        self.log.close()
        if code != 0:
            print(f"{self.name} ended with {code}:")
            print(pathlib.Path(self.log.name).read_text()[-4000:])


def gateway(binary, folder, name, port, control, nodes):
    """A gateway on simulated chains that asks for many easy shares."""
    settings = f"""
gateway:
  listen: 127.0.0.1:{port}
  shares_per_minute: 120
control:
  listen: 127.0.0.1:{control}
simulation:
  coins: [LTC, DOGE]
  rpc_port: {nodes}
"""
    return Program(binary, folder, name, ["gateway"], settings)


def shares(control):
    """What a gateway's own figures say: accepted shares of each worker."""
    with urllib.request.urlopen(f"http://127.0.0.1:{control}/state/summary/gateway/workers", timeout=5) as reply:
        return {row["worker"]: row["accepted"] for row in json.load(reply)}


class Wrong(Exception):
    """Something is not as it must be."""


async def check(release, net, old, new):
    """All of it for the machines of one release; `old` and `new` are the gateways' ports and doors."""

    async def until(what, look):
        """Looks until it is so; only what never comes meets the end of patience."""
        end = time.monotonic() + GUARD_S
        while True:
            try:
                found = await look()
            except (OSError, ValueError, KeyError):
                found = None
            if found:
                print(f"  {release}: {what}")
                return found
            if time.monotonic() > end:
                raise Wrong(f"{release}: never: {what}")
            await asyncio.sleep(0.3)

    def same(what, found, wanted):
        if found != wanted:
            raise Wrong(f"{release}: {what}: found {found!r}, wanted {wanted!r}")

    hosts = [f"127.7.{net}.{1 + at}" for at in range(MACHINES)]

    async def scan():
        found = await MinerNetwork.from_subnet(f"127.7.{net}.0/29").scan()
        return sorted(found, key=lambda it: it.ip) if len(found) == MACHINES else None

    machines = await until("found by a scan", scan)
    same("addresses", [it.ip for it in machines], hosts)
    for machine in machines:
        same("class", type(machine).__name__, "BMMinerL7")
        data = await machine.get_data()
        same("model", data.device_info.model, "L7")
        same("chips", (data.total_chips, data.expected_chips), (360, 360))
        same("boards", len(data.hashboards), 3)
        same("fans", len([fan for fan in data.fans if fan.speed and fan.speed > 1000]), 4)
        same("is mining", data.is_mining, True)
        same("light", data.fault_light, False)
        for field in ("mac", "api_ver", "fw_ver", "hostname", "uptime", "hashrate", "expected_hashrate"):
            if getattr(data, field) is None:
                raise Wrong(f"{machine.ip}: {field} cannot be read")
    print(f"  {release}: every field is read")

    machine, worker = machines[0], f"farm.{net}x1"

    async def active(port):
        pools = await machine.get_pools()
        return [pool for pool in pools if pool.active and pool.alive and str(port) in str(pool.url)]

    async def grows(control, name, least):
        return shares(control).get(name, 0) >= least

    await until("shares arrive at the first pool", lambda: grows(old[1], worker, 3))

    # It takes its minutes, so it begins now and is waited for at the end.
    again = f"farm.{net}x2"
    await until("the second machine mines, too", lambda: grows(old[1], again, 1))
    await machines[1].reboot()

    async def gone():
        with_port = asyncio.open_connection(hosts[1], 4028)
        try:
            reader, writer = await asyncio.wait_for(with_port, 2)
            writer.write(b'{"command":"version"}')
            reply = await asyncio.wait_for(reader.read(100), 2)
            writer.close()
            return not reply
        except (OSError, asyncio.TimeoutError):
            return True

    await until("the second machine restarts", gone)
    at_restart = shares(old[1])[again]

    config = await machine.get_config()
    config.pools.groups[0].pools[0].url = f"stratum+tcp://127.0.0.1:{new[0]}"
    await machine.send_config(config)
    await until("the other pool is active", lambda: active(new[0]))
    before = shares(old[1]).get(worker, 0)
    await until("shares arrive at the new port", lambda: grows(new[1], worker, 5))
    same("shares at the old port", shares(old[1]).get(worker, 0), before)
    others = [name for name in shares(new[1]) if name != worker and name.startswith(f"farm.{net}x")]
    same("other machines at the new port", others, [])

    if not await machine.stop_mining():
        raise Wrong(f"{release}: sleep is refused")

    async def mining(wanted):
        return (await machine.is_mining()) is wanted

    await until("asleep", lambda: mining(False))

    async def stands(control, name):
        first = shares(control).get(name, 0)
        await asyncio.sleep(3)
        return shares(control).get(name, 0) == first

    await until("a sleeping machine sends no shares", lambda: stands(new[1], worker))
    asleep = shares(new[1])[worker]
    if not await machine.resume_mining():
        raise Wrong(f"{release}: waking is refused")
    await until("awake", lambda: mining(True))

    if not await machine.fault_light_on():
        raise Wrong(f"{release}: the light is refused")
    await until("the light is on when read again", machine.check_light)
    await machine.fault_light_off()

    async def agree():
        told = await accepted_of(machines[2])
        counted = shares(old[1]).get(f"farm.{net}x3", 0)
        return told > 0 and told == counted

    await until("the machine tells as many accepted shares as the gateway", agree)

    async def back():
        return type(await pyasic.get_miner(hosts[1])).__name__ == "BMMinerL7"

    await until("the restarted machine is found again", back)
    await until("the restarted machine mines again", lambda: grows(old[1], again, at_restart + 1))
    await until("the woken machine mines again", lambda: grows(new[1], worker, asleep + 1))


async def accepted_of(machine):
    return sum(pool.accepted or 0 for pool in await machine.get_pools())


async def main(binary):
    print(f"pyasic {getattr(pyasic, '__version__', '')}".strip())
    old, new = (13391, 13392), (13394, 13395)
    with contextlib.ExitStack() as programs:
        folder = programs.enter_context(tempfile.TemporaryDirectory(prefix="silverlode-pyasic-"))
        programs.enter_context(gateway(binary, folder, "old", *old, 19510))
        programs.enter_context(gateway(binary, folder, "new", *new, 19530))
        checks = []
        for net, release in enumerate(RELEASES, 16):
            words = ["twin", "--count", str(MACHINES), "--net", f"127.7.{net}.0/29", "--firmware", release]
            words += ["--pool", f"stratum+tcp://127.0.0.1:{old[0]}", "--threads", "1"]
            programs.enter_context(Program(binary, folder, release, words))
            checks.append(check(release, net, old, new))
        await asyncio.gather(*checks)
    print("pyasic: all is well")


if __name__ == "__main__":
    # A machine that restarts does not answer; pyasic warns of it at each knock.
    logging.disable(logging.WARNING)
    try:
        asyncio.run(main(sys.argv[1]))
    except Wrong as wrong:
        sys.exit(f"pyasic: {wrong}")
