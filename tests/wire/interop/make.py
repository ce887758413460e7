#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the files beside it: a TUF repository by other people's code (python3-securesystemslib's canonical form,
python3-cryptography's signatures), laid out as differently from Holdfast's own as the format allows. Keys are thrown
away. Not part of the build; the files are committed, test_interop.c reads them."""
import hashlib
import json
import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from securesystemslib.formats import encode_canonical

HERE = os.path.dirname(os.path.abspath(__file__))
EXPIRES = "2120-01-01T00:00:00Z"
NASTY = {"z": "last", "a": "quote \" backslash \\ slash / newline \n tab \t nul \u0000 bell \u0007 del \u007f",
         "\u00e9\u4e2d": "\U0001f512", "A": [1, -2, {"deep": [[], {}, None, True, False]}], "": "empty name",
         "\U0001f511": 9007199254740993, "\uffee": -1}


class Key:
    def __init__(self, kind):
        if kind == "ecdsa":
            self.key = ec.generate_private_key(ec.SECP256R1())
            public = self.key.public_key().public_bytes(serialization.Encoding.PEM,
                                                        serialization.PublicFormat.SubjectPublicKeyInfo).decode()
            self.tuf = {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": public}}
        else:
            self.key = ed25519.Ed25519PrivateKey.generate()
            public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            self.tuf = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public.hex()},
                        "x-comment": "kept under the key id\n"}
        self.kind = kind
        self.id = hashlib.sha256(encode_canonical(self.tuf).encode()).hexdigest()

    def sign(self, message):
        if self.kind == "ecdsa":
            return self.key.sign(message, ec.ECDSA(hashes.SHA256())).hex()
        return self.key.sign(message).hex()


def write(name, signed, keys):
    message = encode_canonical(signed).encode()
    whole = {"signed": signed, "signatures": [{"keyid": k.id, "sig": k.sign(message)} for k in keys]}
    data = json.dumps(whole, indent=1, ensure_ascii=True).encode() + b"\n"
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)
    return data


def root(version, keys, roles, signers):
    signed = {"version": version, "_type": "root", "spec_version": "1.0.31", "expires": EXPIRES,
              "consistent_snapshot": True, "x-nasty": NASTY, "keys": {k.id: k.tuf for k in keys},
              "roles": {name: {"threshold": threshold, "keyids": [k.id for k in ks]}
                        for name, (threshold, ks) in roles.items()}}
    write("%d.root.json" % version, signed, signers)


def meta(version, data):
    return {"version": version, "length": len(data), "hashes": {"sha512": hashlib.sha512(data).hexdigest(),
                                                               "sha256": hashlib.sha256(data).hexdigest()}}


a, b, c, d = Key("ecdsa"), Key("ed25519"), Key("ecdsa"), Key("ed25519")
roles = {"root": (2, [a, b]), "timestamp": (1, [c]), "snapshot": (1, [d]), "targets": (2, [b, c, d])}
root(1, [a, b, c, d], roles, [b, a])
e = Key("ecdsa")
roles["root"] = (2, [e, b])
root(2, [e, b, c, d], roles, [a, b, e])
target = {"length": 3, "hashes": {"sha256": hashlib.sha256(b"abc").hexdigest()}, "custom": NASTY}
targets = write("4.targets.json", {"_type": "targets", "version": 4, "spec_version": "1.0.31", "expires": EXPIRES,
                                   "targets": {"dir/file.img": target, "a.img": target}, "x-nasty": NASTY}, [d, b])
snapshot = write("3.snapshot.json", {"_type": "snapshot", "version": 3, "spec_version": "1.0.31", "expires": EXPIRES,
                                     "meta": {"targets.json": meta(4, targets)}, "x-nasty": NASTY}, [d])
write("timestamp.json", {"_type": "timestamp", "version": 9, "spec_version": "1.0.31", "expires": EXPIRES,
                         "meta": {"snapshot.json": meta(3, snapshot)}, "x-nasty": NASTY}, [c])
