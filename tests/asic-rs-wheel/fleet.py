"""asic-rs 0.8.6, unmodified, against virtual machines: scan, identify, read, rule.

Three L7 of each firmware release and three L9 stand on nets of loopback. Where asic-rs is known to be wrong
about a real L7, it must be wrong about ours in the same way: rates a thousand times too large (it believes
the name of a key), a restart that it calls failed (it wants JSON where the firmware prints a text), and with
the release of 2023-01 a sleeping machine that it takes for mining (the mode is a number there, and it looks
for a text).
"""

import asyncio
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

from pyasic_rs import MinerFactory
from pyasic_rs.config import Pool, PoolGroup

RELEASES = ["2022-01", "2022-11", "2023-01", "2024-05"]
MACHINES = 3
GUARD_S = 120
POOL = "stratum+tcp://127.0.0.1:13399"


class Twins:
    """Virtual machines, ended when the block ends."""

    def __init__(self, binary, folder, name, net, words):
        home = pathlib.Path(folder) / name
        home.mkdir()
        self.log = open(home / "log", "wb")
        command = [binary, "twin", "--count", str(MACHINES), "--net", f"127.8.{net}.0/29", "--pool", POOL]
        command += [*words, "--data", str(home / "data")]
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


async def until(what, look):
    """Looks until it is so; only what never comes meets the end of patience."""
    end = time.monotonic() + GUARD_S
    while True:
        try:
            found = await look()
        except Exception:  # whatever it raises before the machines stand
            found = None
        if found:
            print(f"  {what}")
            return found
        if time.monotonic() > end:
            raise SystemExit(f"never: {what}")
        await asyncio.sleep(0.3)


def same(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: found {found!r}, wanted {wanted!r}")


async def scanned(net):
    async def scan():
        found = await MinerFactory.from_subnet(f"127.8.{net}.0/29").scan()
        return sorted(found, key=lambda it: str(it.ip)) if len(found) == MACHINES else None

    return await until("found by a scan", scan)


async def read(machines, model, chips):
    for machine in machines:
        data = await machine.get_data()
        same("make and model", (data.device_info.make, data.device_info.model), ("Antminer", model))
        same("chips", (data.total_chips, data.expected_chips), (3 * chips, 3 * chips))
        same("boards", [board.working_chips for board in data.hashboards], [chips] * 3)
        same("fans", len([fan for fan in data.fans if fan.rpm > 1000]), 4)
        same("is mining", data.is_mining, True)
        same("light", data.light_flashing, False)
        same("pool", (str(data.pools[0].pools[0].url), data.pools[0].pools[0].alive), (POOL, False))
        for field in ("mac", "api_version", "firmware_version", "hostname", "uptime", "hashrate"):
            if getattr(data, field) is None:
                raise SystemExit(f"{machine.ip}: {field} cannot be read")
    print("  every field is read")


async def check_l7(release, net):
    machines = await scanned(net)
    await read(machines, "L7", 120)
    machine = machines[0]

    # 9,500 MH/s, believed to be gigahashes.
    expected = str(await machine.get_expected_hashrate())
    same("expected rate", expected, "9500 GH/s")

    pool = Pool(url="stratum+tcp://127.0.0.1:13398", username="other.1", password="y")
    same("pools are taken", await machine.set_pools_config([PoolGroup(name="default", quota=1, pools=[pool])]), True)
    kept = (await machine.get_pools_config())[0].pools[0]
    address = str(kept.url).removeprefix("stratum+tcp://")
    same("pool when read again", (address, kept.username, kept.password), ("127.0.0.1:13398", "other.1", "y"))

    same("sleep", await machine.pause(), True)
    same("seen mining in its sleep", await machine.get_is_mining(), release == "2023-01")
    same("wake", await machine.resume(), True)
    same("is mining", await machine.get_is_mining(), True)

    for light in (True, False):
        same("light is taken", await machine.set_fault_light(light), True)
        same("light when read again", await machine.get_light_flashing(), light)

    if "asic" not in await machine.read_logs():
        raise SystemExit("the log says nothing of its chips")

    same("restart, as it sees it", await machines[1].restart(), False)

    async def gone():
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(str(machines[1].ip), 4028), 2)
            writer.write(b'{"command":"version"}')
            reply = await asyncio.wait_for(reader.read(100), 2)
            writer.close()
            return not reply
        except (OSError, asyncio.TimeoutError):
            return True

    await until("restarts", gone)


async def main(binary):
    print(f"asic-rs {version('pyasic_rs')}")
    with tempfile.TemporaryDirectory(prefix="silverlode-asic-rs-") as folder:
        for number, release in enumerate(RELEASES):
            print(f"L7, release {release}")
            with Twins(binary, folder, release, 16 + number, ["--firmware", release]):
                await check_l7(release, 16 + number)
        print("L9")
        with Twins(binary, folder, "l9", 30, ["--model", "l9"]):
            await read(await scanned(30), "L9", 110)
    print("asic-rs: all is well")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
