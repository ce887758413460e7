#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A production line: devices in parallel at one factory station, a power cut, the batch record, and a real server.

usage: test_station.py BUILD_FOLDER
"""
import concurrent.futures
import json
import shutil
import signal
import subprocess
import sys
import unittest

from test_device import AGENT, HOLDFAST, SLOT, Device, World, run, until

QUOTA = 18
DEVICES = 20


class Station:
    def __init__(self, world):
        self.world = world
        self.dir = world.dir / "station"
        self.socket = world.dir / "station.sock"
        self.order = world.dir / "lamp.hfo"
        self.process = None
        world.cli("factory", "station", "init", self.dir, "--name", "Line 3", "--factory-ca",
                  world.workspace / "server/tls/factory-ca.crt")
        self.id = world.cli("factory", "order", "create", "--product", "lamp", "--hardware", "lamp-hw", "--quota", QUOTA,
                            "--serials", "L-{0001-0099}", "--station", self.dir / "station.pub", "--server",
                            f"https://{world.fleet}", "--image", world.image("lamp", "thermostat-1.0", "1.0.0", 1),
                            "--out", self.order).stdout.strip()

    def start(self):
        self.process = subprocess.Popen([str(HOLDFAST), "factory", "run", "--station", str(self.dir), "--order",
                                         str(self.order), "--listen", str(self.socket), "--tester", "anna"],
                                        stderr=subprocess.PIPE, text=True)
        self.line = self.process.stderr.readline()
        if "ready on" not in self.line:
            raise AssertionError(self.line + self.process.stderr.read())
        return self

    def cut_power(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process.stderr.close()

    def records(self):
        done = self.world.cli("factory", "verify", self.dir / f"{self.id}.hfb", "--json", check=False)
        return json.loads(done.stdout)


def provision(world, station, number):
    return run(AGENT, "provision", world.dir / f"dev{number}", "--station", station.socket, "--slot-size", SLOT,
               check=False)


class Line(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.stop)
        self.world.product("lamp")

    def all_at_once(self, station):
        with concurrent.futures.ThreadPoolExecutor(DEVICES) as pool:
            return list(pool.map(lambda n: provision(self.world, station, n), range(DEVICES)))

    def test_a_quota_holds_through_a_power_cut_and_what_was_made_enrols(self):
        world = self.world
        station = Station(world).start()
        self.addCleanup(station.stop)
        with concurrent.futures.ThreadPoolExecutor(DEVICES) as pool:
            first = [pool.submit(provision, world, station, n) for n in range(DEVICES)]
            until("some certificates", lambda: station.records()["issued"] >= 5, step=0.02)
            station.cut_power()
            for one in first:
                one.result()
        before = station.records()["issued"]
        self.assertGreaterEqual(before, 5)
        station.start()  # goes on from its record
        done = self.all_at_once(station)
        refused = [one for one in done if one.returncode != 0]
        self.assertEqual(len(refused), DEVICES - QUOTA, [one.stderr for one in refused])
        for one in refused:
            self.assertIn("the quota of the factory order is used up", one.stderr)
        serials = [one.stdout.strip() for one in done if one.returncode == 0]
        self.assertEqual(len(set(serials)), QUOTA)
        station.stop()

        record = world.dir / "lamp.hfb"
        world.cli("factory", "close", "--station", station.dir, "--order", station.order, "--out", record)
        checked = json.loads(world.cli("factory", "verify", record, "--json").stdout)
        self.assertEqual((checked["issued"], checked["passed"], checked["failed"]), (QUOTA, QUOTA, 0))
        imported = world.ask("factory", "import", record)
        self.assertEqual((imported["issued"], imported["enrolled"]), (QUOTA, 0))
        self.assertEqual(len(world.ask("factory", "devices", "--unseen")["items"]), QUOTA)

        folders = {run(AGENT, "status", world.dir / f"dev{n}", "--json").stdout: n for n, one in enumerate(done)
                   if one.returncode == 0}
        self.assertEqual(len(folders), QUOTA)
        started = []
        for n, one in enumerate(done):
            if one.returncode == 0 and len(started) < 3:
                device = Device.__new__(Device)
                device.world, device.id, device.dir, device.process = world, one.stdout.strip(), world.dir / f"dev{n}", None
                self.addCleanup(device.stop)
                started.append(device.start())
        for device in started:
            device.runs("1.0.0")
        shown = started[0].seen()
        self.assertEqual(shown["factory"][0]["order"], station.id)
        self.assertEqual(shown["alarms"], [])
        self.assertEqual(len(world.ask("factory", "devices", "--unseen")["items"]), QUOTA - 3)

        # A thief with the station's key makes another certificate for a device of the record: refused, and an alarm.
        victim = next(s for s in serials if s not in [d.id for d in started])
        clone = self.clone(station, victim)
        self.addCleanup(clone.stop)
        clone.start()
        until("the alarm", lambda: [a for a in world.ask("alarm", "list")["items"]
                                    if a["kind"] == "other-certificate" and a["device"] == victim])
        clone.stop()
        self.assertIn("1 OPEN", world.cli("status").stdout)

    def test_a_station_that_was_set_back_or_tampered_with_does_not_work(self):
        world = self.world
        station = Station(world).start()
        self.addCleanup(station.stop)
        journal = station.dir / f"{station.id}.hfb"
        self.assertEqual(provision(world, station, 1).returncode, 0)
        backup = journal.read_bytes()
        self.assertEqual(provision(world, station, 2).returncode, 0)
        station.stop()
        whole = journal.read_bytes()

        def opens():
            return subprocess.run([str(HOLDFAST), "factory", "run", "--station", str(station.dir), "--order",
                                   str(station.order)], input='{"op":"status"}\n', capture_output=True, text=True,
                                  timeout=60)

        journal.write_bytes(backup)
        self.assertIn("restored from a backup", opens().stderr)
        for at in range(len(backup), len(whole), 97):  # one bit anywhere: the record is refused, never believed
            journal.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            done = world.cli("factory", "verify", journal, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertNotIn("is not closed", done.stderr, at)
        journal.write_bytes(whole + b"\x59\x02\x00\xaa")  # half an entry: the power went
        done = opens()
        self.assertIn('"issued":2', done.stdout)
        self.assertTrue(journal.read_bytes().startswith(whole))
        image = world.dir / "lamp.files/first.img"
        good = image.read_bytes()
        image.write_bytes(good[:-1] + b"x")
        self.assertIn("not the one that the order names", opens().stderr)
        image.write_bytes(good)
        order = station.order.read_bytes()
        station.order.write_bytes(order[:-1] + bytes([order[-1] ^ 1]))
        self.assertIn("not by the key", opens().stderr)

    def clone(self, station, victim):
        """A second station folder with the stolen key, which forgets what the first one made."""
        stolen = self.world.dir / "stolen"
        shutil.copytree(station.dir, stolen)
        for left in list(stolen.glob("*.hfb")) + list(stolen.glob("*.count")):
            left.unlink()
        thief = Station.__new__(Station)
        thief.world, thief.dir, thief.order, thief.id = self.world, stolen, station.order, station.id
        thief.socket = self.world.dir / "thief.sock"
        thief.process = None
        thief.start()
        self.addCleanup(thief.stop)
        folder = self.world.dir / "clone"
        run(AGENT, "provision", folder, "--station", thief.socket, "--slot-size", SLOT, "--device", victim)
        device = Device.__new__(Device)
        device.world, device.id, device.dir, device.process = self.world, victim, folder, None
        return device


if __name__ == "__main__":
    unittest.main()
