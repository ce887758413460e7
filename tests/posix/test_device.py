#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Devices against the real server: each is a process tree with its own flash file, key and certificate.

usage: test_device.py BUILD_FOLDER
"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

BUILD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build/dev").resolve()
HOLDFAST = BUILD / "holdfast"
AGENT = BUILD / "ports/posix/holdfast-agent"
APPS = BUILD / "examples"
SLOT = str(4 << 20)
PATIENCE = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*words, env=None, check=True):
    done = subprocess.run([str(word) for word in words], env=env, capture_output=True, text=True, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError("%s: %d\n%s%s" % (" ".join(map(str, words)), done.returncode, done.stdout, done.stderr))
    return done


def until(what, probe, seconds=PATIENCE, step=0.2):
    """Poll until the probe gives something true, and give that."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(step)


class World:
    """One workspace, one server, and products that do not know of each other."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hf-device-"))
        self.fleet = f"127.0.0.1:{free_port()}"
        self.people = f"127.0.0.1:{free_port()}"
        self.workspace = self.dir / "workspace"
        self.env = dict(os.environ, HOLDFAST_PASSPHRASE="correct horse battery", HOLDFAST_WORKSPACE=str(self.workspace))
        (self.dir / "password").write_text("a password of some length")
        self.cli("init", self.workspace, "--org", "Test", "--devices", self.fleet, "--people", self.people,
                 "--operator", "tester", "--password-file", self.dir / "password")
        self.signing = threading.Lock()
        self.server = None
        self.serve()
        self.put_settings(checkin_interval_s=5)

    def cli(self, *words, check=True):
        return run(HOLDFAST, *words, env=self.env, check=check)

    def ask(self, *words):
        return json.loads(self.cli(*words, "--json").stdout)

    def serve(self):
        with open(self.dir / "server.log", "ab") as log:
            self.server = subprocess.Popen([str(HOLDFAST), "serve", str(self.workspace)], env=self.env, stdout=log,
                                           stderr=log)

        def ready():
            if self.server.poll() is not None:
                raise AssertionError((self.dir / "server.log").read_text()[-3000:])
            try:
                return urllib.request.urlopen(f"http://{self.people}/api/v1/health", timeout=2).status == 200
            except OSError:
                return False

        until("server", ready)

    def put_settings(self, **settings):
        token = json.loads((self.workspace / "operator/operator.json").read_text())["token"]
        request = urllib.request.Request(f"http://{self.people}/api/v1/settings", method="PUT",
                                         data=json.dumps(settings).encode(),
                                         headers={"Authorization": f"Bearer {token}",
                                                  "Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10)

    def product(self, name):
        self.cli("product", "add", name, "--hardware", f"{name}-hw")

    def image(self, product, app, version, counter, *options):
        out = self.dir / f"{product}-{version}.img"
        if not out.exists():
            self.cli("image", "sign", APPS / app, "--out", out, "--version", version, "--counter", counter, "--product",
                     product, "--component", "main", "--hardware", f"{product}-hw", "--slot-size", SLOT, *options)
        return out

    def release(self, product, app, version, counter, *rollout):
        image = self.image(product, app, version, counter)
        with self.signing:  # the offline keys sign one list of all releases
            self.cli("release", "create", product, version, "--image", f"main={image}", "--hardware", f"{product}-hw",
                     "--counter", counter, "--from", "*")
        return self.ask("rollout", "start", product, version, "--waves", "100", *rollout)["id"]

    def stop(self):
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            self.server.wait(30)


class Device:
    def __init__(self, world, product, name, *settings, token=False):
        self.world = world
        self.id = name
        self.dir = world.dir / name
        self.process = None
        offline = world.workspace / "offline"
        first = world.image(product, "thermostat-1.0", "1.0.0", 1)
        requests = world.dir / f"{name}-csr"
        requests.mkdir()
        run(AGENT, "provision", self.dir, "--device", name, "--product", product, "--hardware", f"{product}-hw",
            "--server", f"https://{world.fleet}", "--server-ca", offline / "server-ca.crt", "--root",
            offline / "root.json", "--director-root", offline / "director-root.json", "--image-key",
            offline / "image.pub", "--image", first, "--slot-size", SLOT, "--csr", requests / f"{name}.csr", *settings)
        if token:
            text = world.ask("device", "enrol-token", name, product)["token"]
            (world.dir / f"{name}.token").write_text(text)
            run(AGENT, "provision", self.dir, "--token-file", world.dir / f"{name}.token")
        else:
            issued = world.dir / f"{name}-issued"
            world.cli("factory", "issue", "--csr", requests, "--out", issued, "--product", product, "--hardware",
                      f"{product}-hw")
            run(AGENT, "provision", self.dir, "--factory-cert", issued / f"{name}.crt")

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen([str(AGENT), "run", str(self.dir)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        return self

    def cut_power(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def log(self):
        return (self.dir / "log").read_text()

    def status(self):
        return json.loads(run(AGENT, "status", self.dir, "--json").stdout)

    def seen(self):
        """As the server sees it; None before its first check-in."""
        done = self.world.cli("device", "show", self.id, "--json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def runs(self, version, state=None):
        def probe():
            record = self.seen()
            right = record is not None and record["version"] == version and (state is None or record["state"] == state)
            return record if right else None

        try:
            return until(f"{self.id} runs {version} {state or ''}", probe)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}\n{self.seen()}") from None


class Devices(unittest.TestCase):
    world = None

    def device(self, product, name, *settings, **more):
        device = Device(self.world, product, name, *settings, **more)
        self.addCleanup(device.stop)
        return device

    def test_a_download_survives_three_power_cuts(self):
        world = self.world
        world.product("cuts")
        size = world.image("cuts", "thermostat-1.1", "1.1.0", 2).stat().st_size
        device = self.device("cuts", "cuts-1", "--rate-max", size // 8, token=True).start()
        device.runs("1.0.0")
        self.assertFalse((device.dir / "enrol.token").exists())
        world.release("cuts", "thermostat-1.1", "1.1.0", 2)
        reached = 0
        for _ in range(3):
            def further():
                update = device.status()["update"]
                return update["bytes"] if 0 < update["percent"] < 100 and update["bytes"] > reached else None

            now = until("progress", further, step=0.05)
            device.cut_power()
            kept = device.status()["update"]
            self.assertGreaterEqual(kept["bytes"], now)
            reached = kept["bytes"]
            device.start()
        device.runs("1.1.0", "confirmed")
        status = device.status()
        self.assertEqual([slot["status"] for slot in status["slots"]], ["confirmed", "confirmed"])
        self.assertEqual(status["counter"], 2)
        self.assertIsNone(status["last_failure"])

    def put_off(self, product, duration, *rollout):
        """A device whose user said "later" before 1.1.0 was rolled out to it; when that was."""
        self.world.product(product)
        device = self.device(product, f"{product}-1").start()
        device.runs("1.0.0")
        asked = time.time()
        run(AGENT, "postpone", device.dir, duration)
        self.world.release(product, "thermostat-1.1", "1.1.0", 2, *rollout)
        record = device.runs("1.0.0", "postponed")
        self.assertIsNotNone(record["postponed_until"])
        return device, asked

    def test_a_user_may_put_an_update_off_for_a_while(self):
        device, asked = self.put_off("later", "30s")
        device.runs("1.1.0", "confirmed")
        self.assertGreaterEqual(time.time() - asked, 30)

    def test_a_deadline_ends_what_a_user_may_put_off(self):
        device, asked = self.put_off("deadline", "12h", "--deadline", "40s")
        device.runs("1.1.0", "confirmed")
        self.assertGreaterEqual(time.time() - asked, 40)

    def goes_back(self, product, app, version, reset, *settings):
        world = self.world
        world.product(product)
        device = self.device(product, f"{product}-1", *settings).start()
        device.runs("1.0.0")
        world.release(product, app, version, 2)
        record = device.runs("1.0.0", "reverted")
        self.assertEqual(record["wanted"], version)
        status = device.status()
        self.assertEqual(status["last_failure"]["reset"], reset)
        self.assertEqual(status["counter"], 1)
        self.assertEqual(status["slots"][1]["status"], "bad")
        # It is over: no second trial of the same image.
        boots = device.log().count("on trial")
        time.sleep(12)
        self.assertEqual(device.log().count("on trial"), boots)
        self.assertEqual(boots, 1)
        return device

    def test_a_release_that_crashes_goes_back(self):
        device = self.goes_back("crash", "thermostat-1.2", "1.2.0", "crash")
        # A device that went back is one that can be repaired.
        self.world.release("crash", "thermostat-1.3", "1.3.0", 3)
        device.runs("1.3.0", "confirmed")

    def test_an_encrypted_release_is_installed_where_its_key_is(self):
        world = self.world
        world.product("sealed")
        key, public, other = (world.dir / name for name in ("open.pem", "open.pub", "other.pem"))
        for pem in (key, other):
            run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", pem)
        run("openssl", "pkey", "-in", key, "-pubout", "-out", public)
        image = world.image("sealed", "thermostat-1.1", "1.1.0", 2, "--encrypt-for", public)
        self.assertNotIn((APPS / "thermostat-1.1").read_bytes()[:64], image.read_bytes())
        device = self.device("sealed", "sealed-1", "--open-key", key).start()
        wrong = self.device("sealed", "sealed-2", "--open-key", other).start()
        without = self.device("sealed", "sealed-3").start()
        for each in (device, wrong, without):
            each.runs("1.0.0")
        world.release("sealed", "thermostat-1.1", "1.1.0", 2)
        device.runs("1.1.0", "confirmed")
        self.assertEqual(wrong.runs("1.0.0", "refused")["rule"]["number"], 141)
        self.assertEqual(without.runs("1.0.0", "refused")["rule"]["number"], 140)

    def publish_keyset(self, name, *options):
        out = self.world.dir / name
        self.world.cli("keyset", "create", *options, "--out", out)
        self.world.cli("keyset", "sign", out)
        self.world.cli("keyset", "publish", out)
        return out

    def test_a_lost_image_key_is_replaced_and_revoked(self):
        world = self.world
        world.product("drill")
        root = json.loads((world.workspace / "offline/root.json").read_text())["signed"]
        owner, key, public = world.dir / "owner.pub", world.dir / "image2.pem", world.dir / "image2.pub"
        owner.write_text(root["keys"][root["roles"]["root"]["keyids"][0]]["keyval"]["public"])
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        run("openssl", "pkey", "-in", key, "-pubout", "-out", public)
        old = world.workspace / "offline/image.pub"
        device = self.device("drill", "drill-1", "--owner-key", owner).start()
        device.runs("1.0.0")

        def has_set(version):
            return lambda: f"key set {version}" in world.cli("device", "timeline", device.id).stdout

        first = self.publish_keyset("1.keyset", "--product", "drill", "--key", old, "--key", public)
        until("the device has key set 1", has_set(1))
        world.image("drill", "thermostat-1.1", "1.1.0", 2, "--key", key)
        world.release("drill", "thermostat-1.1", "1.1.0", 2)
        device.runs("1.1.0", "confirmed")
        self.publish_keyset("2.keyset", "--from", first, "--revoke", old)
        until("the device has key set 2", has_set(2))
        device.stop()
        device.start()
        device.runs("1.1.0")
        # Whoever found the old key signs with it, and even the offline targets key vouches for the result.
        world.release("drill", "thermostat-1.3", "1.3.0", 3)
        self.assertEqual(device.runs("1.1.0", "refused")["rule"]["name"], "IMAGE_KEY_REVOKED")

    def test_a_release_that_hangs_goes_back(self):
        self.goes_back("hang", "thermostat-hang", "1.4.0", "watchdog", "--watchdog-s", 3)

    def test_a_release_that_never_gets_healthy_goes_back(self):
        self.goes_back("mute", "thermostat-mute", "1.4.1", "revert", "--trial-s", 6)

    def test_a_blocked_device_is_refused_and_comes_back_when_it_is_not(self):
        self.world.product("block")
        device = self.device("block", "block-1").start()
        device.runs("1.0.0")
        self.world.cli("device", "block", "block-1", "--reason", "lost")
        before = self.seen_at(device)
        time.sleep(12)
        self.assertEqual(self.seen_at(device), before)
        self.world.cli("device", "unblock", "block-1", "--reason", "found")
        until("back", lambda: self.seen_at(device) != before)

    @staticmethod
    def seen_at(device):
        return device.seen()["last_seen"]

    def test_renews_when_it_is_told_to(self):
        self.world.product("renew")
        device = self.device("renew", "renew-1").start()
        device.runs("1.0.0")
        cert = (device.dir / "device.crt").read_text()
        key = (device.dir / "device.key").read_text()
        # Certificates live longer from now on: what is left of this one is less than a third of that.
        self.world.put_settings(certificate_life_s=365 * 86400)
        self.addCleanup(self.world.put_settings, certificate_life_s=90 * 86400)
        until("renewal", lambda: (device.dir / "device.crt").read_text() != cert)
        until("key", lambda: (device.dir / "device.key").read_text() != key)
        until("word of it", lambda: "new certificate, with the present one" in device.log())
        before = self.seen_at(device)
        until("check-in after it", lambda: self.seen_at(device) != before)
        self.assertFalse((device.dir / "next.key").exists())

    def test_a_device_without_clock_enrols_and_checks_in(self):
        self.world.product("clock")
        device = self.device("clock", "clock-1", "--clock", "no").start()
        device.runs("1.0.0")

    def test_attributes_set_on_the_device_reach_the_server(self):
        self.world.product("words")
        device = self.device("words", "words-1").start()
        device.runs("1.0.0")
        run(AGENT, "set-attribute", device.dir, "floor", "second floor, left")
        until("attribute", lambda: self.attributes(device).get("floor") == "second floor, left")
        self.assertEqual(self.attributes(device).get("setpoint"), "21.0")
        run(AGENT, "set-attribute", device.dir, "floor")
        until("attribute gone", lambda: not self.attributes(device).get("floor"))

    @staticmethod
    def attributes(device):
        return {one["name"]: one["value"] for one in device.seen()["attributes"]}


def run_all(case, workers=None):
    """All at once, or so many: they mostly wait, each on its own device, and one server serves them all."""
    tests = list(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    results = [unittest.TestResult() for _ in tests]
    try:
        with concurrent.futures.ThreadPoolExecutor(workers or len(tests)) as pool:
            list(pool.map(lambda pair: pair[0].run(pair[1]), zip(tests, results)))
    finally:
        case.world.stop()
    failed = 0
    for test, result in zip(tests, results):
        trouble = result.errors + result.failures
        print("ok    " if not trouble else "FAILED", test.id().split(".")[-1])
        for _, text in trouble:
            print(text)
        failed += len(trouble)
    if failed == 0:
        shutil.rmtree(case.world.dir)
    else:
        print(f"the folder is kept: {case.world.dir}")
    return 1 if failed else 0


def main():
    Devices.world = World()
    return run_all(Devices)


if __name__ == "__main__":
    sys.exit(main())
