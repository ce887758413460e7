#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`holdfast tuf` as a client of repositories that other software signed, honest and not.

usage: test_tuf.py HOLDFAST [unittest options]
"""
import copy
import hashlib
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import repo as tufrepo  # noqa: E402
from repo import Key, OtherKey, Repo, Server, ecdsa, ed25519, expiry  # noqa: E402

HOLDFAST = pathlib.Path(sys.argv.pop(1)).resolve()


class World(unittest.TestCase):
    """A repository, its server and a client that trusts its first root."""

    consistent = True

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hf-tuf-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.meta = self.dir / "metadata"
        self.targets = self.dir / "targets"
        self.repo = Repo(self.consistent)
        self.server = Server(self.repo)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.init()

    def run_tuf(self, *words, days=0):
        command = [str(HOLDFAST), "tuf", *map(str, words)]
        env = dict(os.environ)
        if days:
            env["ASAN_OPTIONS"] = "verify_asan_link_order=0"
            command = ["faketime", "-f", "+%dd" % days] + command
        self.done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
        return self.done.returncode

    def init(self, root=None):
        first = self.dir / "first.json"
        first.write_bytes(root or self.repo.published["root", 1])
        self.assertEqual(self.run_tuf("--metadata-dir", self.meta, "init", first), 0, self.done_text())

    def done_text(self):
        return self.done.stderr + self.done.stdout

    def refresh(self, *more, days=0):
        self.repo.asked.clear()
        return self.run_tuf("--metadata-dir", self.meta, "--metadata-url", self.server.url + "/metadata", *more, "refresh",
                            days=days)

    def download(self, *names, days=0, more=()):
        self.repo.asked.clear()
        words = ["--metadata-dir", self.meta, "--metadata-url", self.server.url + "/metadata/", *more]
        for name in names:
            words += ["--target-name", name]
        return self.run_tuf(*words, "--target-base-url", self.server.url + "/targets/", "--target-dir", self.targets,
                            "download", days=days)

    def assertDone(self, code):
        self.assertEqual(code, 0, self.done_text())

    def assertRefused(self, code, words=""):
        self.assertEqual(code, 1, self.done_text())
        self.assertIn(words, self.done.stderr)

    def version(self, role):
        path = self.meta / (role + ".json")
        return json.loads(path.read_bytes())["signed"]["version"] if path.exists() else None

    def versions(self):
        return [self.version(role) for role in ("root", "timestamp", "snapshot", "targets")]

    def got(self):
        return {p.name: p.read_bytes() for p in self.targets.iterdir()} if self.targets.exists() else {}


class Basics(World):
    def test_init_asks_the_server_for_nothing_and_refresh_for_four_files(self):
        self.assertEqual(self.repo.asked, [])
        self.assertDone(self.refresh())
        self.assertEqual(self.repo.asked_metadata(), ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"])
        self.assertEqual(self.versions(), [1, 1, 1, 1])
        self.assertIn("plain http", self.done.stderr)
        self.assertDone(self.refresh())  # what is kept is not fetched again
        self.assertEqual(self.repo.asked_metadata(), ["2.root.json", "timestamp.json"])

    def test_options_may_stand_behind_the_verb(self):
        self.assertEqual(self.run_tuf("refresh", "--metadata-url=" + self.server.url + "/metadata", "--metadata-dir",
                                      self.meta), 0)

    def test_keeps_the_very_bytes_that_were_served(self):
        self.repo.published["timestamp", None] += b" \n"
        self.assertDone(self.refresh())
        self.assertEqual((self.meta / "timestamp.json").read_bytes(), self.repo.published["timestamp", None])
        self.assertEqual(sorted(p.name for p in self.meta.iterdir()),
                         ["root.json", "snapshot.json", "targets.json", "timestamp.json"])

    def test_any_json_spacing_is_read(self):
        for spacing in ({"indent": 8}, {"separators": (",", ":"), "sort_keys": True}, {"separators": (" , ", " :\t")},
                        {"ensure_ascii": False, "indent": "\t"}):
            self.repo.spacing = spacing
            self.repo.add("targets", "grüße %d" % len(self.repo.artifacts), b"x")
            self.repo.publish_all()
            self.assertDone(self.refresh())

    def test_download_alone_refreshes_first(self):
        self.assertRefused(self.download("nothing"), "no such target")
        self.assertEqual(self.versions(), [1, 1, 1, 1])

    def test_an_invalid_first_root_is_refused_and_nothing_is_asked_for(self):
        whole = json.loads(self.repo.published["root", 1])
        del whole["signed"]["version"]
        unsigned = json.loads(self.repo.published["root", 1])
        unsigned["signatures"][0]["sig"] = "3045" + "00" * 69
        for bad in (whole, unsigned):
            shutil.rmtree(self.meta)
            (self.dir / "bad.json").write_text(json.dumps(bad))
            self.assertEqual(self.run_tuf("--metadata-dir", self.meta, "init", self.dir / "bad.json"), 1)
            self.assertRefused(self.refresh(), "no trusted root")
            self.assertEqual(self.repo.asked, [])
            (self.meta / "root.json").write_text(json.dumps(bad))  # somebody copied it there
            self.assertRefused(self.refresh())
            self.assertEqual(self.repo.asked, [])

    def test_init_again_changes_nothing_and_another_root_is_refused(self):
        self.assertDone(self.refresh())
        self.init()
        self.assertEqual(self.versions(), [1, 1, 1, 1])
        (self.dir / "other.json").write_bytes(Repo().published["root", 1])
        self.assertRefused(self.run_tuf("--metadata-dir", self.meta, "init", self.dir / "other.json"), "already")

    def test_unknown_members_are_kept_under_the_signature(self):
        root = self.repo.md["root"]
        root["custom"] = {"a": [1, {"b": None}]}
        root["roles"]["root"]["note"] = "x"
        root["keys"][root["roles"]["root"]["keyids"][0]]["x-tuf-on-ci-keyowner"] = "@somebody"
        self.repo.publish("root")
        self.assertDone(self.refresh())
        self.assertEqual(self.version("root"), 2)

    def test_wrong_command_lines_are_refused(self):
        for words in (["init"], ["refresh"], ["download"], ["upgrade"], ["refresh", "--metadata-dir", self.meta],
                      ["refresh", "--metadata-dir", self.meta, "--metadata-url", "ftp://x/"],
                      ["refresh", "more", "--metadata-dir", self.meta, "--metadata-url", self.server.url]):
            self.assertEqual(self.run_tuf(*words), 1, words)


class PlainNames(World):
    consistent = False

    def test_without_consistent_snapshots_names_have_no_version(self):
        self.repo.add("targets", "a/b.txt", b"hello")
        self.repo.publish_all()
        self.assertDone(self.download("a/b.txt"))
        self.assertEqual(self.repo.asked, ["/metadata/2.root.json", "/metadata/timestamp.json", "/metadata/snapshot.json",
                                           "/metadata/targets.json", "/targets/a/b.txt"])
        self.assertEqual(self.got(), {"a%2Fb.txt": b"hello"})


class Keys(World):
    def test_every_key_type_counts_side_by_side(self):
        made = [ed25519(), Key(tufrepo.sslib.generate_rsa_key(2048)), OtherKey("rsa", "rsassa-pss-sha512"),
                OtherKey("rsa", "rsa-pkcs1v15-sha256"), OtherKey("ecdsa", "ecdsa-sha2-nistp384")]
        old = ecdsa()
        old.public["keytype"] = "ecdsa-sha2-nistp256"
        self.repo.signers["root"] += made + [old]
        self.repo.trust("root")
        self.repo.md["root"]["roles"]["root"]["threshold"] = 7
        self.repo.publish("root")
        self.assertDone(self.refresh())
        self.assertEqual(self.version("root"), 2)
        for i in range(7):  # each signature is looked at: spoil one after the other
            self.repo.publish("root")
            whole = json.loads(self.repo.published.pop(("root", 3)))
            sig = whole["signatures"][i]["sig"]
            whole["signatures"][i]["sig"] = sig[:-2] + "%02x" % (int(sig[-2:], 16) ^ 1)
            self.repo.published["root", 3] = json.dumps(whole).encode()
            self.assertRefused(self.refresh(), "not signed by enough")
            self.assertEqual(self.version("root"), 2)
            self.repo.md["root"]["version"] = 2

    def test_weak_and_unknown_keys_count_for_nothing(self):
        weak = OtherKey("rsa", "rsassa-pss-sha256")
        weak.public["scheme"] = "rsassa-pss-md5"
        self.repo.signers["timestamp"] = [weak]
        self.repo.trust("timestamp")
        self.repo.publish("root")
        self.assertRefused(self.refresh())
        self.assertEqual(self.versions(), [2, None, None, None])

    def test_a_root_may_give_a_role_a_threshold_that_it_does_not_reach_and_repair_it_later(self):
        self.assertDone(self.refresh())
        self.repo.md["root"]["roles"]["snapshot"]["threshold"] = 3
        self.repo.publish("root")
        self.repo.publish("snapshot", "timestamp")
        self.assertRefused(self.refresh())
        self.assertEqual(self.versions()[0], 2)
        self.assertEqual(self.version("snapshot"), 1)
        self.repo.signers["snapshot"] += [ecdsa(), ecdsa()]
        self.repo.trust("snapshot")
        self.repo.publish("root", "snapshot", "timestamp")
        self.assertDone(self.refresh())
        self.assertEqual(self.version("snapshot"), 3)

    def test_one_key_under_many_ids_counts_once(self):
        key = ecdsa()
        twins = []
        for i in range(9):
            twin = copy.copy(key)
            twin.public = copy.deepcopy(key.public)
            twin.public["n"] = i
            if i % 3 == 1:
                twin.public["keyval"]["public"] = twin.public["keyval"]["public"].replace("\n", "\r\n")
            twin.id = hashlib.sha256(str(i).encode()).hexdigest()
            twins.append(twin)
        self.repo.signers["snapshot"] = [ecdsa()] + twins
        self.repo.trust("snapshot")
        self.repo.md["root"]["roles"]["snapshot"]["threshold"] = 3
        self.repo.publish("root", "snapshot", "timestamp")
        self.assertRefused(self.refresh(), "fewer distinct keys")
        self.repo.md["root"]["roles"]["snapshot"]["threshold"] = 2
        self.repo.publish("root", "snapshot", "timestamp")
        self.assertDone(self.refresh())

    def test_one_rsa_key_under_two_schemes_counts_once(self):
        key = OtherKey("rsa", "rsassa-pss-sha256")
        twin = copy.copy(key)
        twin.public = dict(key.public, scheme="rsassa-pss-sha512")
        twin.id = "another"
        self.repo.signers["snapshot"] = [key, twin]
        self.repo.trust("snapshot")
        self.repo.md["root"]["roles"]["snapshot"]["threshold"] = 2
        self.repo.publish("root", "snapshot", "timestamp")
        self.assertRefused(self.refresh(), "fewer distinct keys")

    def test_one_signature_many_times_is_refused(self):
        whole = json.loads(self.repo.published["snapshot", 1])
        whole["signatures"] *= 2
        self.repo.published["snapshot", 1] = json.dumps(whole).encode()
        self.assertRefused(self.refresh(), "one key has two entries")

    def test_key_ids_need_not_be_hashes(self):
        for i, role in enumerate(("root", "timestamp", "snapshot", "targets")):
            key = ecdsa()
            key.id = ["a", "key of the timestamp", "x" * 64, "ABC"][i]
            self.repo.signers[role].append(key) if role == "root" else self.repo.signers.update({role: [key]})
            self.repo.trust(role)
        self.repo.publish("root")
        self.repo.publish_all()
        self.assertDone(self.refresh())

    def test_many_unused_keys_in_a_root_do_no_harm(self):
        for _ in range(40):
            key = ecdsa()
            self.repo.md["root"]["keys"][key.id] = key.public
        self.repo.publish("root")
        self.assertDone(self.refresh())

    def test_thresholds_that_are_no_numbers_from_one_are_refused(self):
        for bad in (0, -1, "1", True, None, 2 ** 40):
            self.repo.md["root"]["roles"]["timestamp"]["threshold"] = bad
            self.repo.md["root"]["version"] = 1
            self.repo.publish("root")
            self.assertRefused(self.refresh())
            self.assertEqual(self.version("root"), 1)


class Rotation(World):
    """Sequences of roots: keys, threshold, who signs, and whether the last is accepted."""

    def chain(self, *roots):
        made = [ed25519() for _ in range(10)]
        self.repo.published = {k: v for k, v in self.repo.published.items() if k[0] != "root"}
        self.repo.md["root"]["version"] = 0
        for keys, threshold, signers in roots:
            self.repo.signers["root"] = [made[i] for i in keys]
            self.repo.trust("root")
            self.repo.md["root"]["roles"]["root"]["threshold"] = threshold
            self.repo.publish("root", signers=[made[i] for i in signers])
        shutil.rmtree(self.meta)
        self.init()
        return self.refresh()

    def test_root_rotations_that_are_accepted(self):
        five = [0, 1, 2, 3, 4]
        for roots in ([([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])],
                      [([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])],
                      [(five, 3, [0, 2, 4]), (five, 3, [0, 4, 1]), (five, 3, [0, 1, 3])],
                      [(five, 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 1])],
                      [(five, 3, [0, 2, 4]), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]), ([5, 6, 7, 8, 9], 3, [5, 6, 7])],
                      [([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])],
                      [([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])]):
            self.assertDone(self.chain(*roots))
            self.assertEqual(self.version("root"), len(roots))

    def test_root_rotations_that_are_refused(self):
        five = [0, 1, 2, 3, 4]
        for roots in ([([1], 1, [1]), ([2], 1, [2, 3, 4])], [([1], 1, [1]), ([2], 1, [1, 3, 4])],
                      [(five, 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4])],
                      [(five, 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])],
                      [([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2])], [([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1])]):
            self.assertRefused(self.chain(*roots))
            self.assertEqual(self.version("root"), 1)

    def test_other_roles_keys_rotate_and_the_old_ones_are_refused(self):
        self.assertDone(self.refresh())
        for role in ("timestamp", "snapshot", "targets"):
            old = self.repo.signers[role]
            self.repo.rotate(role)
            self.repo.publish("root")
            self.repo.publish(*["targets", "snapshot", "timestamp"])
            self.assertDone(self.refresh())
            self.assertEqual((self.meta / (role + ".json")).read_bytes(), self.repo.published[role, None])
            new = self.repo.signers[role]
            self.repo.signers[role] = old
            self.repo.publish("targets", "snapshot", "timestamp")
            self.assertRefused(self.refresh(), "fewer distinct keys")
            self.repo.signers[role] = new
            self.repo.publish("targets", "snapshot", "timestamp")
            self.assertDone(self.refresh())

    def test_expired_roots_on_the_way_are_accepted_and_the_last_is_kept_but_refused(self):
        self.repo.md["root"]["expires"] = expiry(-3)
        self.repo.publish("root")
        self.repo.md["root"]["expires"] = expiry()
        self.repo.publish("root")
        self.assertDone(self.refresh())
        self.assertEqual(self.version("root"), 3)
        self.repo.md["root"]["expires"] = expiry(-1)
        self.repo.publish("root")
        self.repo.publish_all()
        self.assertRefused(self.refresh(), "has expired")
        self.assertEqual(self.versions(), [4, 1, 1, 1])

    def test_a_root_that_skips_a_version_is_refused(self):
        self.repo.md["root"]["version"] = 2
        self.repo.publish("root")
        self.repo.published["root", 2] = self.repo.published["root", 3]
        self.assertRefused(self.refresh(), "not the trusted one plus one")


class Rollback(World):
    def test_a_lower_timestamp_is_refused(self):
        self.repo.publish("timestamp")
        self.assertDone(self.refresh())
        self.repo.md["timestamp"]["version"] = 1
        self.repo.publish("timestamp", bump=False)
        self.assertRefused(self.refresh(), "a rollback")
        self.assertEqual(self.version("timestamp"), 2)
        self.assertEqual(self.repo.asked_metadata()[-1], "timestamp.json")

    def test_a_lower_snapshot_under_a_new_timestamp_is_refused(self):
        for self.repo.with_hashes in (False, True):
            self.repo.publish("snapshot", "timestamp")
            self.assertDone(self.refresh())
            trusted = self.versions()
            self.repo.md["snapshot"]["version"] -= 2
            self.repo.publish("snapshot", "timestamp")
            self.assertRefused(self.refresh(), "a rollback")
            self.assertEqual(self.versions(), trusted)
            self.repo.md["snapshot"]["version"] += 5
            self.repo.publish("snapshot", "timestamp")

    def test_lower_targets_under_a_new_snapshot_are_refused(self):
        for self.repo.with_hashes in (False, True):
            self.repo.publish("targets")
            self.repo.publish_all()
            self.assertDone(self.refresh())
            trusted = self.version("targets")
            self.repo.md["targets"]["version"] -= 2
            self.repo.publish_all()
            self.assertRefused(self.refresh(), "a rollback")
            self.assertEqual(self.version("targets"), trusted)
            self.repo.md["targets"]["version"] += 5
            self.repo.publish_all()
            self.assertDone(self.refresh())

    def test_a_floor_outlives_expired_files(self):
        for role in ("timestamp", "snapshot", "targets"):
            self.repo.md[role]["expires"] = expiry(7)
        self.repo.publish_all()
        self.repo.publish_all()
        self.assertDone(self.refresh())
        for role in ("timestamp", "snapshot", "targets"):
            self.repo.md[role].update(version=1, expires=expiry(60))
        self.repo.md["root"]["expires"] = expiry(90)
        self.repo.publish("root")
        self.repo.publish_all()
        self.repo.published["timestamp", None] = self.repo.sign("timestamp")
        self.assertRefused(self.refresh(days=18), "a rollback")

    def test_expired_files_that_are_kept_can_be_replaced(self):
        self.repo.md["timestamp"]["expires"] = expiry(7)
        self.repo.publish_all()
        self.assertDone(self.refresh())
        self.repo.md["timestamp"]["expires"] = expiry(21)
        self.repo.publish_all()
        self.assertDone(self.refresh(days=18))
        self.assertEqual(self.versions(), [1, 3, 3, 3])

    def test_a_timestamp_of_the_same_version_is_dropped_without_a_word(self):
        self.assertDone(self.refresh())
        kept = (self.meta / "timestamp.json").read_bytes()
        self.repo.md["timestamp"]["meta"]["snapshot.json"]["version"] = 100
        self.repo.publish("timestamp", bump=False)
        self.assertDone(self.refresh())
        self.assertEqual((self.meta / "timestamp.json").read_bytes(), kept)

    def test_a_kept_timestamp_that_has_expired_is_a_freeze(self):
        self.repo.md["timestamp"]["expires"] = expiry(3)
        self.repo.publish("timestamp")
        self.assertDone(self.refresh())
        self.assertRefused(self.refresh(days=5), "has expired")

    def test_a_snapshot_that_loses_a_file_is_refused(self):
        self.repo.delegate("targets", "role", paths=["*"])
        self.repo.publish_all()
        self.assertDone(self.refresh())
        del self.repo.md["snapshot"]["meta"]["role.json"]
        self.repo.publish("snapshot", "timestamp")
        self.assertRefused(self.refresh(), "no longer lists")
        self.assertEqual(self.version("snapshot"), 2)

    def test_a_delegated_role_must_not_get_older_in_the_snapshot_among_thousands(self):
        self.repo.spacing = {"sort_keys": True}
        for i in range(3000):
            self.repo.md["snapshot"]["meta"]["bin-%04x.json" % i] = {"version": 2}
        self.repo.publish("snapshot", "timestamp")
        self.assertDone(self.refresh())
        self.repo.md["snapshot"]["meta"]["bin-0a00.json"]["version"] = 1
        self.repo.publish("snapshot", "timestamp")
        self.assertRefused(self.refresh(), "a rollback")
        self.repo.md["snapshot"]["meta"]["bin-0a00.json"]["version"] = 3
        self.repo.publish("snapshot", "timestamp")
        self.assertDone(self.refresh())

    def test_recovers_from_a_fast_forward_of_the_timestamp(self):
        self.repo.md["timestamp"]["version"] = 99998
        self.repo.publish("timestamp")
        self.assertDone(self.refresh())
        self.repo.rotate("timestamp")
        self.repo.publish("root")
        self.repo.md["timestamp"]["version"] = 1
        self.repo.publish("timestamp", bump=False)
        self.assertDone(self.refresh())
        self.assertEqual(self.version("timestamp"), 1)

    def test_recovers_from_a_fast_forward_of_the_snapshot(self):
        self.repo.md["snapshot"]["version"] = 99998
        self.repo.publish("snapshot", "timestamp")
        self.assertDone(self.refresh())
        self.repo.rotate("snapshot")
        self.repo.rotate("timestamp")
        self.repo.publish("root")
        self.repo.md["snapshot"]["version"] = 1
        self.repo.publish("snapshot", "timestamp", bump=False)
        self.repo.publish("timestamp")
        self.assertDone(self.refresh())
        self.assertEqual(self.version("snapshot"), 1)

    def test_recovers_from_a_fast_forward_of_targets_by_new_snapshot_keys(self):
        self.repo.md["targets"]["version"] = 99998
        self.repo.publish_all()
        self.assertDone(self.refresh())
        self.repo.rotate("snapshot")
        self.repo.publish("root")
        self.repo.md["targets"]["version"] = 1
        self.repo.publish_all()
        self.assertDone(self.refresh())
        self.assertEqual(self.version("targets"), 2)

    def test_what_a_refused_step_said_is_not_kept(self):
        self.assertDone(self.refresh())
        self.repo.publish_all()
        self.repo.published["snapshot", 2] = b"{}"
        self.assertRefused(self.refresh())
        self.assertEqual(self.versions(), [1, 2, 1, 1])


class Expiry(World):
    def test_expired_files_are_refused_and_the_old_ones_kept(self):
        self.assertDone(self.refresh())
        for role in ("timestamp", "snapshot", "targets"):
            self.repo.md[role]["expires"] = expiry(-5)
            self.repo.publish_all()
            self.assertRefused(self.refresh(), "has expired")
            self.assertEqual(self.version(role), 1)
            self.repo.md[role]["expires"] = expiry()
            self.repo.publish_all()


class Bytes(World):
    def test_hashes_and_lengths_are_checked_when_they_are_there(self):
        self.repo.with_hashes = True
        self.repo.publish_all()
        self.assertDone(self.refresh())
        for algorithms in (["sha256"], ["sha512"], ["sha256", "sha512"]):
            self.repo.hash_names = algorithms
            self.repo.publish_all()
            self.assertDone(self.refresh())
            for name in algorithms:
                self.repo.publish("targets")
                entry = self.repo.md["snapshot"]["meta"]["targets.json"]
                entry["hashes"][name] = "46" * (len(entry["hashes"][name]) // 2)
                self.repo.publish("snapshot", "timestamp")
                self.assertRefused(self.refresh(), "hash is not the one announced")
        self.repo.publish_all()
        self.assertDone(self.refresh())

    def test_a_file_announced_by_unknown_hashes_alone_is_refused(self):
        self.repo.with_hashes = True
        self.repo.hash_names = ["sha1"]
        self.repo.publish_all()
        self.assertRefused(self.refresh(), "none of the hashes known")

    def test_more_bytes_than_announced_are_not_read(self):
        self.repo.with_hashes = True
        self.repo.publish_all()

        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            try:
                for _ in range(100000):
                    handler.wfile.write(b" " * 65536)
                self.repo.asked.append("all of it")
            except OSError:
                pass

        self.repo.answers["/metadata/2.snapshot.json"] = endless
        self.assertRefused(self.refresh(), "endless data")
        self.repo.answers["/metadata/timestamp.json"] = endless
        self.assertRefused(self.refresh(), "endless data")
        self.assertNotIn("all of it", self.repo.asked)

    def test_only_not_found_ends_the_chain_of_roots(self):
        def status(number):
            def answer(handler):
                handler.send_response(number)
                handler.send_header("Location", "/metadata/1.root.json")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            return answer

        for number in (301, 302, 400, 403, 410, 424, 429, 500, 503, 204):
            self.repo.answers["/metadata/2.root.json"] = status(number)
            self.assertRefused(self.refresh(), "the server says")
            self.assertEqual(self.repo.asked_metadata(), ["2.root.json"])
        self.repo.answers["/metadata/2.root.json"] = status(403)
        self.assertDone(self.refresh("--absent-on-403"))

        def cut(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "100000")
            handler.end_headers()
            handler.wfile.write(b"{")
        self.repo.answers["/metadata/2.root.json"] = cut
        self.assertRefused(self.refresh(), "cannot be fetched")

    def test_a_drip_of_bytes_ends_at_the_deadline(self):
        def drip(handler):
            handler.send_response(200)
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(b" ")
                    time.sleep(0.05)
            except OSError:
                pass
        self.repo.answers["/metadata/timestamp.json"] = drip
        self.assertRefused(self.refresh("--deadline", "2s"), "cannot be fetched")

    def test_an_unreachable_server_changes_nothing(self):
        self.assertDone(self.refresh())
        self.server.shutdown()
        self.server.server_close()
        self.assertRefused(self.refresh("--deadline", "20s"), "cannot be fetched")
        self.assertEqual(self.versions(), [1, 1, 1, 1])

    def test_bad_files_are_refused_with_a_reason(self):
        good = self.repo.published["timestamp", None].decode()
        self.assertIn('"version": 1', good)
        for bad in (good[:-1], good + "x", "", "[]", '"x"', "null", "[" * 100000, good.replace('"version": 1', '"version": 1.0'),
                    good.replace('"version": 1', '"version": 1,\n"version": 1'), "\ufeff" + good,
                    good.replace('"timestamp"', '"snapshot"'), good.replace('1.0.34', '2.0.0'),
                    good.replace('Z"', '+00:00"')):
            self.repo.published["timestamp", None] = bad.encode()
            self.assertRefused(self.refresh())
            self.assertNotIn("Sanitizer", self.done.stderr)
            self.assertEqual(self.version("timestamp"), None)

    def test_a_folder_that_cannot_be_written_is_an_error(self):
        self.assertDone(self.refresh())
        self.repo.publish_all()
        (self.meta / "timestamp.json").unlink()
        (self.meta / "timestamp.json").mkdir()
        self.assertRefused(self.refresh())

    def test_links_in_the_folder_are_not_followed(self):
        victim = self.dir / "victim"
        victim.write_text("mine")
        self.repo.add("targets", "x", b"target")
        self.repo.publish_all()
        self.targets.mkdir()
        (self.targets / "x").symlink_to(victim)
        self.assertDone(self.download("x"))
        self.assertEqual(victim.read_text(), "mine")
        self.assertEqual(self.got(), {"x": b"target"})
        self.assertFalse((self.targets / "x").is_symlink())
        (self.meta / "snapshot.json").unlink()
        (self.meta / "snapshot.json").symlink_to(victim)
        self.assertRefused(self.refresh())
        self.assertEqual(victim.read_text(), "mine")


class Tls(World):
    def test_https_is_believed_only_with_the_right_authority_and_redirects_lead_nowhere_else(self):
        cert, key = self.dir / "ca.pem", self.dir / "ca.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        key, "-out", cert, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        plain = self.server.url
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.url = plain.replace("http:", "https:")
        self.assertRefused(self.refresh(), "cannot be fetched")
        self.assertDone(self.refresh("--ca", cert))
        self.assertNotIn("plain http", self.done.stderr)
        self.repo.add("targets", "x", b"data")
        self.repo.publish_all()
        name = "/targets/%s.x" % hashlib.sha256(b"data").hexdigest()

        def to(place):
            def answer(handler):
                handler.send_response(302)
                handler.send_header("Location", place)
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            return answer

        other = Server(self.repo)  # without TLS
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        self.repo.answers[name] = to(other.url + "/targets/0.x")
        self.assertRefused(self.download("x", more=["--ca", cert]), "cannot be fetched")
        self.repo.answers[name] = to("/targets/0.x")
        self.assertDone(self.download("x", more=["--ca", cert]))
        self.assertEqual(self.got(), {"x": b"data"})


class Downloads(World):
    def test_fetches_what_was_signed_and_keeps_it(self):
        self.repo.add("targets", "file.txt", b"one")
        self.repo.publish_all()
        self.assertDone(self.download("file.txt"))
        self.assertEqual(self.got(), {"file.txt": b"one"})
        self.assertEqual(self.done.stdout, "%s\n" % (self.targets / "file.txt"))
        hash_ = hashlib.sha256(b"one").hexdigest()
        self.assertEqual(self.repo.asked[-1], "/targets/%s.file.txt" % hash_)
        self.assertDone(self.download("file.txt"))  # a cache by hash
        self.assertFalse([path for path in self.repo.asked if path.startswith("/targets")])
        self.repo.artifacts["file.txt"] = b"bad"
        (self.targets / "file.txt").write_bytes(b"two")  # somebody changed it: fetched again, and refused
        self.assertRefused(self.download("file.txt"), "hash is not the one announced")
        self.assertEqual(self.got(), {"file.txt": b"two"})

    def test_a_new_content_replaces_the_old(self):
        for i in range(5):
            data = b"content %d" % i
            self.repo.add("targets", "file.txt", data)
            self.repo.publish_all()
            self.assertDone(self.download("file.txt"))
            self.assertEqual(self.got(), {"file.txt": data})
            self.repo.artifacts["file.txt"] = b"malicious %d" % i
            self.repo.publish_all()
            self.assertDone(self.download("file.txt"))
            self.assertEqual(self.got(), {"file.txt": data})

    def test_several_targets_in_order_until_the_first_failure(self):
        for name in "abc":
            self.repo.add("targets", name, name.encode() * 5)
        self.repo.publish_all()
        self.repo.artifacts["b"] = b"wrong"
        self.assertRefused(self.download("a", "b", "c"), "hash is not the one announced")
        self.assertEqual(self.got(), {"a": b"aaaaa"})
        self.repo.artifacts["b"] = b"bbbbb"
        self.assertDone(self.download("c", "a", "b"))
        self.assertEqual([line[-1] for line in self.done.stdout.split()], ["c", "a", "b"])
        self.assertEqual(len(self.got()), 3)

    def test_wrong_bytes_leave_nothing_behind(self):
        self.repo.add("targets", "x", b"12345")
        self.repo.publish_all()
        for bad, words in ((b"123456", "endless data"), (b"1234", "length is not the one"), (b"12346", "hash is not")):
            self.repo.artifacts["x"] = bad
            self.assertRefused(self.download("x"), words)
            self.assertEqual(list(self.targets.iterdir()), [])
        del self.repo.artifacts["x"]
        self.assertRefused(self.download("x"), "404")

    def test_sha512_alone_both_and_neither(self):
        self.repo.add("targets", "512", b"x", ["sha512"])
        self.repo.add("targets", "both", b"y", ["sha256", "sha512"])
        self.repo.add("targets", "md5", b"z", ["md5"])
        self.repo.add("targets", "half", b"h", ["sha256", "sha512"])
        self.repo.md["targets"]["targets"]["half"]["hashes"]["sha512"] = "00" * 64
        self.repo.publish_all()
        self.assertDone(self.download("512", "both"))
        self.assertRefused(self.download("md5"), "none of the hashes known")
        self.assertRefused(self.download("half"), "hash is not the one announced")

    def test_names_that_try_to_leave_the_folder_stay_in_it(self):
        names = ["../evil", "/etc/evil", "a/../../evil", "..", ".", ".hidden", "a b?c#d%2e", "grüße", "x" * 200 + "/" + "y" * 200,
                 "con\nrol"]
        for name in names:
            self.repo.add("targets", name, name.encode())
        self.repo.publish_all()
        for name in names:
            self.repo.answers.clear()
            before = set(self.dir.rglob("*"))
            self.assertDone(self.download(name))
            new = set(self.dir.rglob("*")) - before - {self.targets}
            new = {p for p in new if p.parent != self.meta}
            self.assertEqual([p.parent for p in new], [self.targets], name)
            self.assertEqual(new.pop().read_bytes(), name.encode())

    def test_an_empty_target_is_a_target(self):
        self.repo.add("targets", "empty", b"")
        self.repo.publish_all()
        self.assertDone(self.download("empty"))
        self.assertEqual(self.got(), {"empty": b""})


class Delegations(World):
    def graph(self, *edges):
        """(delegator, role, members)"""
        names = []
        for by, role, members in edges:
            self.repo.delegate(by, role, **{"paths": ["*"], **members} if "path_hash_prefixes" not in members else members)
            names += [name for name in (by, role) if name not in names]
        names.remove("targets")
        self.repo.publish(*names, bump=False)
        self.repo.publish_all()

    def visited(self):
        return [name.split(".")[1] for name in self.repo.asked_metadata()[4:]]

    def test_roles_are_asked_in_order_and_once(self):
        end = {"terminating": True}
        other = {"paths": ["*.py"]}
        for edges, order in (
                ([("targets", "A", {}), ("targets", "B", {}), ("A", "C", {}), ("A", "D", {})], "ACDB"),
                ([("targets", "A", {}), ("targets", "B", {}), ("A", "C", end), ("A", "D", {})], "AC"),
                ([("targets", "A", {}), ("targets", "B", {}), ("A", "C", end), ("C", "D", {})], "ACD"),
                ([("targets", "A", other), ("targets", "B", {}), ("A", "C", {})], "B"),
                ([("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("C", "D", {}), ("D", "B", {})], "ABCD"),
                ([("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("A", "C", {})], "ACB"),
                ([("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("A", "C", other)], "ABC")):
            self.setUp()
            self.graph(*edges)
            self.assertRefused(self.download("missing"), "no such target")
            self.assertEqual("".join(self.visited()), order)

    def test_patterns_keep_to_their_part_of_the_path(self):
        self.graph(("targets", "A", {"paths": ["*.doc", "*.md"]}), ("targets", "B", {"paths": ["releases/*/*"]}),
                   ("B", "C", {"paths": ["releases/x/*"]}), ("B", "D", {"paths": ["releases/y/*.zip"]}))
        for role, path in (("A", "README.md"), ("C", "releases/x/x_v1"), ("D", "releases/y/y_v1.zip"),
                           ("D", "releases/z/z_v1.zip"), ("targets", "top")):
            self.repo.add(role, path, path.encode())
        self.repo.publish("A", "B", "C", "D")
        self.repo.publish_all()
        for path, order in (("top", ""), ("README.md", "A"), ("releases/x/x_v1", "BC"), ("releases/y/y_v1.zip", "BD")):
            shutil.rmtree(self.meta)
            self.init()
            self.assertDone(self.download(path))
            self.assertEqual("".join(self.visited()), order)
        self.assertRefused(self.download("releases/z/z_v1.zip"), "no such target")

    def test_hash_prefixes_and_hash_bins(self):
        first = hashlib.sha256(b"a/file").hexdigest()
        self.graph(("targets", "wrong", {"path_hash_prefixes": ["0123456", first[:3] + "zz"]}),
                   ("targets", "right", {"path_hash_prefixes": ["ffffffff", first[:4]]}))
        self.repo.add("right", "a/file", b"data")
        self.repo.publish("right")
        self.repo.publish_all()
        self.assertDone(self.download("a/file"))
        self.assertEqual(self.visited(), ["right"])

    def test_succinct_hash_bins(self):
        key = ecdsa()
        self.repo.md["targets"]["delegations"] = {
            "keys": {key.id: key.public},
            "succinct_roles": {"keyids": [key.id], "threshold": 1, "bit_length": 6, "name_prefix": "bin"}}
        number = hashlib.sha256(b"a/file").digest()[0] >> 2
        for i in range(64):
            name = "bin-%02x" % i
            self.repo.new(name, targets={})
            self.repo.signers[name] = [key]
            if i == number:
                self.repo.add(name, "a/file", b"data")
            self.repo.publish(name, bump=False)
        self.repo.publish_all()
        self.assertDone(self.download("a/file"))
        self.assertEqual(self.visited(), ["bin-%02x" % number])
        self.assertEqual(self.got(), {"a%2Ffile": b"data"})

    def test_odd_role_names_are_encoded_on_the_way_and_on_disk(self):
        for role, encoded in (("?", "%3F"), ("#", "%23"), ("/delegatedrole", "%2Fdelegatedrole"),
                              ("../delegatedrole", "..%2Fdelegatedrole"), ("..", ".."), ("a b", "a%20b"), ("ü", "%C3%BC")):
            self.setUp()
            before = {p for p in self.dir.rglob("*")}
            self.graph(("targets", role, {}))
            self.assertRefused(self.download("nothing"), "no such target")
            self.assertEqual(self.repo.asked_metadata()[4], "1.%s.json" % encoded)
            kept = [p for p in self.dir.rglob("*") if p not in before and p.suffix == ".json"]
            self.assertEqual(len(kept), 4, kept)
            self.assertEqual({p.parent for p in kept}, {self.meta})
            self.assertRefused(self.download("nothing"), "no such target")
            self.assertEqual(len(self.repo.asked_metadata()), 2)  # all kept

    def test_a_delegated_role_must_not_bear_a_top_level_name(self):
        for role in ("root", "timestamp", "snapshot", "targets", ""):
            self.setUp()
            key = ecdsa()
            self.repo.md["targets"]["delegations"] = {
                "keys": {key.id: key.public},
                "roles": [{"name": role, "keyids": [key.id], "threshold": 1, "terminating": False, "paths": ["*"]}]}
            self.repo.publish_all()
            self.assertRefused(self.download("x"), "name of one of the four top-level roles")
            self.assertEqual(self.versions(), [1, 2, 2, 2])

    def test_every_check_of_the_top_level_is_made_for_delegated_roles(self):
        def expired(text):
            self.repo.md["A"]["expires"] = expiry(-1)
            self.repo.publish("A")

        def unsigned(text):
            self.repo.publish("A", signers=[ecdsa()])

        def version(text):
            self.repo.publish("A")
            self.repo.md["snapshot"]["meta"]["A.json"]["version"] += 1
            self.repo.published["A", 3] = self.repo.published["A", 2]

        def hash_(text):
            self.repo.with_hashes = True
            self.repo.publish("A")
            self.repo.md["snapshot"]["meta"]["A.json"]["hashes"]["sha256"] = "00" * 32

        def length(text):
            self.repo.with_hashes = True
            self.repo.publish("A")
            self.repo.md["snapshot"]["meta"]["A.json"]["length"] += 1

        def absent(text):
            self.repo.publish("A")
            del self.repo.published["A", 2]

        def unlisted(text):
            del self.repo.md["snapshot"]["meta"]["A.json"]

        for spoil, words in ((expired, "has expired"), (unsigned, "fewer distinct"), (version, "not the one announced"),
                             (hash_, "hash is not"), (length, "length is not"), (absent, "404"), (unlisted, "not listed")):
            self.setUp()
            self.repo.delegate("targets", "A", paths=["*"])
            self.repo.add("A", "x", b"data")
            spoil(None)
            self.repo.publish_all()
            self.assertDone(self.refresh())
            self.assertRefused(self.download("x"), words)
            self.assertEqual(self.got(), {})
            self.assertFalse((self.meta / "A.json").exists())

    def test_a_role_is_verified_with_the_keys_of_the_one_who_delegated(self):
        self.graph(("targets", "A", {"paths": ["*"]}), ("targets", "B", {"paths": ["b-*"]}), ("A", "C", {"paths": ["a-*"]}),
                   ("B", "C", {"paths": ["b-*"]}))
        stranger = ecdsa()  # B trusts somebody else to be C
        self.repo.md["B"]["delegations"]["keys"] = {stranger.id: stranger.public}
        self.repo.md["B"]["delegations"]["roles"][0]["keyids"] = [stranger.id]
        for name in ("a-x", "b-x"):
            self.repo.add("C", name, name.encode())
        self.repo.publish("B", "C")
        self.repo.publish_all()
        self.assertDone(self.download("a-x"))
        self.assertTrue((self.meta / "C.json").exists())
        self.assertRefused(self.download("b-x"), "fewer distinct keys")

    def test_an_expired_role_that_is_kept_is_not_used_and_can_be_replaced(self):
        self.repo.delegate("targets", "A", paths=["*"])
        self.repo.md["A"]["expires"] = expiry(7)
        self.repo.add("A", "x", b"x")
        self.repo.add("A", "y", b"y")
        self.repo.publish("A")
        self.repo.publish_all()
        self.assertDone(self.download("x"))
        self.assertRefused(self.download("y", days=18), "has expired")
        self.repo.md["A"]["expires"] = expiry(21)
        self.repo.publish("A")
        self.repo.publish_all()
        self.assertDone(self.download("y", days=18))

    def test_a_search_without_end_is_refused_and_not_called_absent(self):
        for i in range(40):
            self.repo.delegate("targets", "r%d" % i, paths=["*"])
        self.repo.publish_all()
        self.assertRefused(self.download("x"), "more delegated roles than allowed")
        self.assertEqual(len(self.visited()), 32)
        self.setUp()
        for i in range(20):
            self.repo.delegate("targets" if i == 0 else "r%d" % (i - 1), "r%d" % i, paths=["*"])
        self.repo.publish(*["r%d" % i for i in range(20)], bump=False)
        self.repo.publish_all()
        self.assertRefused(self.download("x"), "nested deeper")

    def test_malformed_delegations_are_refused(self):
        key = ecdsa()
        good = {"name": "A", "keyids": [key.id], "threshold": 1, "terminating": False, "paths": ["*"]}
        for change in ({"name": 1}, {"paths": "x"}, {"paths": [1]}, {"path_hash_prefixes": ["00"]}, {"terminating": 1},
                       {"threshold": 0}, {"keyids": "x"}, {"name": "n" * 129}, {"paths": ["p" * 257]}):
            self.setUp()
            self.repo.md["targets"]["delegations"] = {"keys": {key.id: key.public}, "roles": [{**good, **change}]}
            self.repo.publish_all()
            self.assertRefused(self.download("x"))
            self.assertNotIn("no such target", self.done.stderr)
            self.assertNotIn("Sanitizer", self.done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
