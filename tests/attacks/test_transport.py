#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody on the wire between a real device and a real server: listens, cuts, drips, impersonates.

usage: test_transport.py BUILD_FOLDER ROWS_FILE

The device's agent, its TLS and its server are the programs that are shipped; only the wire is ours. Rows for
docs/attacks.md are written when every test passed.
"""
import concurrent.futures
import pathlib
import shutil
import socket
import ssl
import sys
import threading
import time
import unittest

ROWS = pathlib.Path(sys.argv.pop(2))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "posix"))
from test_device import Device, World, run, until  # noqa: E402  (reads BUILD_FOLDER from sys.argv)

NONE = "none: the network, a mirror or a CDN"
TLS = "the server's TLS key (of a stolen front)"
QUIET_BYTES = 6000  # of an answer: the handshake passes at full speed


class Wire:
    """What the device takes for its server. Modes: pass, cut, drip, forge (a certificate of our own), stolen (the
    server's own certificate and key, and answers without end)."""

    def __init__(self, world):
        self.world = world
        self.mode = "pass"
        self.heard = bytearray()  # both directions, as it went over the wire
        self.read = bytearray()  # what we could read of it, as an impostor
        self.tried = 0  # connections that were not passed on
        self.given_up = 0  # dripping connections that the device closed
        self.sent = 0  # most bytes of an endless answer that the device took
        self.context = None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def impersonate(self, cert, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection, self.mode), daemon=True).start()

    def serve(self, device, mode):
        with device:
            try:
                if mode == "cut":
                    self.tried += 1
                elif mode in ("forge", "stolen"):
                    self.tried += 1
                    self.impostor(device, mode)
                else:
                    self.carry(device)
            except OSError:
                pass

    def impostor(self, device, mode):
        with self.context.wrap_socket(device, server_side=True) as tls:
            self.read += tls.recv(65536)
            if mode == "stolen":
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\nTransfer-Encoding: chunked\r\n\r\n")
                sent = 0
                while self.mode == "stolen" and sent < 1 << 26:
                    tls.sendall(b"4000\r\n" + bytes(0x4000) + b"\r\n")
                    sent += 0x4000
                    self.sent = max(self.sent, sent)

    def carry(self, device):
        host, port = self.world.fleet.split(":")
        with socket.create_connection((host, int(port))) as server:
            threading.Thread(target=self.copy, args=(device, server, False), daemon=True).start()
            self.copy(server, device, True)

    def copy(self, source, sink, slowly):
        passed = 0
        try:
            while True:
                slow = slowly and self.mode == "drip" and passed >= QUIET_BYTES
                piece = source.recv(60 if slow else 65536)
                if not piece or self.mode in ("cut", "stolen"):
                    break
                self.heard += piece
                if slow:
                    time.sleep(0.2)
                sink.sendall(piece)
                passed += len(piece)
        except OSError:
            if slowly and self.mode == "drip":
                self.given_up += 1
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Beside(World):
    """The same world, with its server at the end of a wire of ours."""

    def __init__(self, world, wire):  # pylint: disable=super-init-not-called
        self.__dict__ = dict(world.__dict__, fleet=wire.address)


class Transport(unittest.TestCase):
    world = None

    def stage(self, product, *settings):
        """A device of its own product behind a wire of its own; not started yet."""
        wire = Wire(self.world)
        self.world.product(product)
        device = Device(Beside(self.world, wire), product, f"{product}-1", *settings)
        self.addCleanup(device.stop)
        return wire, device

    def test_nothing_on_the_wire_can_be_read(self):
        wire, device = self.stage("ear")
        device.start().runs("1.0.0")
        self.world.release("ear", "thermostat-1.1", "1.1.0", 2)
        device.runs("1.1.0", "confirmed")
        image = self.world.image("ear", "thermostat-1.1", "1.1.0", 2).read_bytes()
        heard = bytes(wire.heard)
        self.assertGreater(len(heard), len(image))
        for secret in (b"ear-1", b"ear-hw", b"HTTP/1.1", b"/v1/checkin", b"holdfast", b"1.1.0",
                       image[len(image) // 2:len(image) // 2 + 32]):
            self.assertNotIn(secret, heard)
        self.assertIn(bytes.fromhex("002b00020304"), heard)  # a ServerHello that chose TLS 1.3

    def test_an_impostor_with_another_certificate_hears_nothing(self):
        wire, device = self.stage("fake")
        key, cert = self.world.dir / "fake.key", self.world.dir / "fake.crt"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", cert, "-days", "30", "-subj", "/CN=holdfast", "-addext", "subjectAltName=IP:127.0.0.1")
        wire.impersonate(cert, key)
        wire.mode = "forge"
        device.start()
        until("two attempts", lambda: wire.tried >= 2)
        self.assertEqual(bytes(wire.read), b"")
        self.assertEqual(device.status()["slots"][0]["status"], "confirmed")
        wire.mode = "pass"
        device.runs("1.0.0")

    def test_a_cut_wire_delays_an_update_and_no_more(self):
        wire, device = self.stage("cut")
        device.start().runs("1.0.0")
        wire.mode = "cut"
        self.world.release("cut", "thermostat-1.1", "1.1.0", 2)
        until("attempts", lambda: wire.tried >= 2)
        self.assertEqual(self.world.ask("device", "show", "cut-1")["version"], "1.0.0")
        wire.mode = "pass"
        device.runs("1.1.0", "confirmed")

    def test_a_dripping_wire_is_given_up_and_the_update_goes_on_later(self):
        wire, device = self.stage("drip", "--rate-window-s", 3, "--rate-min", 2000)
        device.start().runs("1.0.0")
        wire.mode = "drip"
        self.world.release("drip", "thermostat-1.1", "1.1.0", 2)
        until("the device gives up", lambda: wire.given_up >= 1)
        self.assertEqual(self.world.ask("device", "show", "drip-1")["version"], "1.0.0")
        wire.mode = "pass"
        device.runs("1.1.0", "confirmed")

    def test_an_endless_answer_is_left(self):
        wire, device = self.stage("endless")
        tls = self.world.workspace / "server/tls"
        wire.impersonate(tls / "server.crt", tls / "server.key")
        device.start().runs("1.0.0")
        wire.mode = "stolen"
        until("two attempts", lambda: wire.tried >= 2)
        self.assertIn(b"/v1/checkin", bytes(wire.read))
        self.assertLess(wire.sent, 8 << 20)  # buffers of the kernel between us
        self.assertIsNone(device.process.poll())
        wire.mode = "pass"
        self.world.release("endless", "thermostat-1.1", "1.1.0", 2)
        device.runs("1.1.0", "confirmed")

    ROWS = (
        ("Eavesdrop", NONE, "holds", "", "", "TLS 1.3; of 1.2 only suites with forward secrecy; the device's "
         "certificate is encrypted too", "test_nothing_on_the_wire_can_be_read"),
        ("Eavesdrop", NONE, "holds", "", "1.0.0", "the device knows the CA of its server and no other",
         "test_an_impostor_with_another_certificate_hears_nothing"),
        ("Drop-request", NONE, "falls", "", "1.0.0", "until the wire is whole again; then the update goes on",
         "test_a_cut_wire_delays_an_update_and_no_more"),
        ("Slow retrieval", NONE, "holds", "", "1.0.0", "a lowest rate over a window and a deadline for each request, "
         "both settings; what has come is kept and gone on with",
         "test_a_dripping_wire_is_given_up_and_the_update_goes_on_later"),
        ("Endless data", TLS, "holds", "", "1.0.0", "an answer longer than an answer may be is left",
         "test_an_endless_answer_is_left"),
    )


def main():
    """All at once: each has its own product and wire, and they mostly wait."""
    ROWS.unlink(missing_ok=True)
    Transport.world = World()
    tests = list(unittest.defaultTestLoader.loadTestsFromTestCase(Transport))
    results = [unittest.TestResult() for _ in tests]
    try:
        with concurrent.futures.ThreadPoolExecutor(len(tests)) as pool:
            list(pool.map(lambda pair: pair[0].run(pair[1]), zip(tests, results)))
    finally:
        Transport.world.stop()
    passed = set()
    for test, result in zip(tests, results):
        name = test.id().split(".")[-1]
        trouble = result.errors + result.failures
        print("ok    " if not trouble else "FAILED", name)
        for _, text in trouble:
            print(text)
        if not trouble:
            passed.add(name)
    rows = Transport.ROWS
    if passed != {row[-1] for row in rows} or len(passed) != len(tests):
        print(f"the folder is kept: {Transport.world.dir}")
        return 1
    shutil.rmtree(Transport.world.dir)
    ROWS.write_text("".join("\t".join(row[:-1] + ("tests/attacks/test_transport.py", row[-1])) + "\n" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
