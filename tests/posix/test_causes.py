#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a boot loader refuses is told apart by its cause, from the flash to the people. Each cause is made on a real
flash file; the real supervisor boots it, the real server keeps the rule, and API and command line say its words.

Not here: a revoked key (tests/posix/test_device.py performs that drill), and a flash that refuses the record itself (then
there is nothing to tell from; tests/device/test_boot.c).

usage: test_causes.py BUILD_FOLDER
"""
import json
import struct
import sys
import unittest
import urllib.request

import test_device
from test_device import APPS, SLOT, Device, World, run, until

MAGIC = struct.pack("<I", 0x96F3B83D)
SECTOR = 4096

# Cause: the rule's number, and words of it that no other rule here has.
CAUSES = {
    "magic": (102, "first four bytes"),
    "length": (104, "leads past its end"),
    "hash": (113, "does not match its SHA-256"),
    "unknown_key": (114, "a key this device does not know"),
    "signature": (116, "signature is wrong"),
    "counter": (118, "lower than the device's"),
    "hardware": (119, "other hardware"),
    "dependency": (122, "needs a newer image 0"),
    "component": (127, "another component"),
    "records": (201, "damaged beyond both copies"),
    "digest": (205, "another image than the boot record names"),
}
# Images that stand in slot 1 in place of the one that was installed: options of `image sign` beside the usual ones.
REPLACED = {
    "unknown_key": {"--key": "other.pem"},
    "counter": {"--counter": 1},
    "hardware": {"--hardware": "other-hw"},
    "component": {"--component": "radio"},
    "digest": {"--version": "1.1.1"},
}


def sign(world, name, product, app, **changes):
    options = {"--version": "1.1.0", "--counter": 2, "--product": product, "--component": "main",
               "--hardware": f"{product}-hw", "--slot-size": SLOT}
    options.update(changes)
    words = [word for pair in options.items() for word in pair]
    out = world.dir / f"{name}.img"
    world.cli("image", "sign", APPS / app, "--out", out, *words)
    return out


def publish(world):
    """1.0.0 and 1.1.0 have the same security counter, so that a device may go back."""
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", world.dir / "other.pem")
    for product, needs in (("why", {}), ("needs", {"--dependency": "0:9.0.0"})):
        world.product(product)
        sign(world, f"{product}-1.0.0", product, "thermostat-1.0", **{"--version": "1.0.0"})
        sign(world, f"{product}-1.1.0", product, "thermostat-1.1", **needs)
    for cause, changes in REPLACED.items():
        changes = {name: world.dir / value if name == "--key" else value for name, value in changes.items()}
        sign(world, cause, "why", "thermostat-1.1", **changes)


def spoil(world, cause, flash):
    """Make the cause in slot 1, where 1.1.0 is active."""
    starts = [at for at in range(0, len(flash), SECTOR) if flash[at:at + 4] == MAGIC]
    at = starts[1]
    payload_len = struct.unpack_from("<I", flash, at + 12)[0]
    if cause == "magic":
        flash[at] ^= 0xFF
    elif cause == "length":
        struct.pack_into("<I", flash, at + 12, 0x7FFFFFFF)
    elif cause == "hash":
        flash[at + payload_len // 2] ^= 1
    elif cause == "signature":
        flash[at + (world.dir / "why-1.1.0.img").stat().st_size - 1] ^= 1
    elif cause == "records":
        flash[:2 * SECTOR] = bytes([0x5A]) * 2 * SECTOR
    else:
        image = (world.dir / f"{cause}.img").read_bytes()
        flash[at:at + len(image)] = image


class Causes(unittest.TestCase):
    world = None
    devices = {}

    def timeline(self, device):
        token = json.loads((self.world.workspace / "operator/operator.json").read_text())["token"]
        request = urllib.request.Request(f"http://{self.world.people}/api/v1/devices/{device.id}/timeline?limit=100",
                                         headers={"Authorization": f"Bearer {token}"})
        return json.loads(urllib.request.urlopen(request, timeout=10).read())["items"]

    def told(self, device, number):
        def probe():
            return next((event for event in self.timeline(device) if (event["rule"] or {}).get("number") == number), None)

        try:
            return until(f"{device.id}: rule {number}", probe, step=1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{device.log()[-2000:]}\n{self.timeline(device)}") from None

    def arrives(self, cause):
        device = self.devices[cause]
        self.addCleanup(device.stop)
        if cause != "dependency":
            device.cut_power()
            path = device.dir / "flash.bin"
            flash = bytearray(path.read_bytes())
            spoil(self.world, cause, flash)
            path.write_bytes(flash)
            device.start()
        number, words = CAUSES[cause]
        event = self.told(device, number)
        self.assertIn(words, event["rule"]["what"])
        self.assertTrue(event["rule"]["todo"])
        self.assertIn(words, self.world.cli("device", "show", device.id, "--events", "100").stdout)
        self.assertEqual(device.status()["last_failure"]["rule"], number)


for one in CAUSES:
    setattr(Causes, f"test_{one}_arrives_as_its_own_rule", lambda self, cause=one: self.arrives(cause))


def main():
    Causes.world = World()
    publish(Causes.world)
    for cause in CAUSES:  # a rollout is about the devices that are there when it starts
        product = "needs" if cause == "dependency" else "why"
        Causes.devices[cause] = Device(Causes.world, product, cause.replace("_", "-")).start()
    for device in Causes.devices.values():
        device.runs("1.0.0")
    for product in ("why", "needs"):
        Causes.world.release(product, "thermostat-1.1", "1.1.0", 2)
    for cause, device in Causes.devices.items():  # all of them, before one that is spoiled stops the rollout
        if cause != "dependency":
            device.runs("1.1.0", "confirmed")
    return test_device.run_all(Causes)


if __name__ == "__main__":
    sys.exit(main())
