# SPDX-License-Identifier: Apache-2.0
"""A TUF repository in memory, signed by securesystemslib and served over HTTP: it publishes what it is told to, right or
wrong, and remembers what was asked for."""
import copy
import datetime
import hashlib
import http.server
import json
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from securesystemslib import keys as sslib
from securesystemslib.formats import encode_canonical

TOP = ["root", "timestamp", "snapshot", "targets"]


def expiry(days=30):
    return (datetime.datetime.utcnow() + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Key:
    """A key as TUF writes it, and how to sign with it."""

    def __init__(self, made):
        self.id = made["keyid"]
        self.public = sslib.format_keyval_to_metadata(made["keytype"], made["scheme"], made["keyval"], private=False)
        self.sign = lambda data: sslib.create_signature(made, data)["sig"]


class OtherKey(Key):
    """Schemes that securesystemslib has no signer for in this version."""

    def __init__(self, keytype, scheme):
        if keytype == "rsa":
            private = rsa.generate_private_key(65537, 2048)
        else:
            private = ec.generate_private_key(ec.SECP384R1())
        pem = private.public_key().public_bytes(serialization.Encoding.PEM,
                                                serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        self.public = {"keytype": keytype, "scheme": scheme, "keyval": {"public": pem}}
        self.id = hashlib.sha256(encode_canonical(self.public).encode()).hexdigest()
        digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[scheme[-3:]]
        if scheme.startswith("rsassa-pss"):
            self.sign = lambda data: private.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size),
                                                  digest).hex()
        elif scheme.startswith("rsa-pkcs1v15"):
            self.sign = lambda data: private.sign(data, padding.PKCS1v15(), digest).hex()
        else:
            self.sign = lambda data: private.sign(data, ec.ECDSA(digest)).hex()


def ecdsa():
    return Key(sslib.generate_ecdsa_key())


def ed25519():
    return Key(sslib.generate_ed25519_key())


class Repo:
    def __init__(self, consistent=True):
        self.signers = {role: [ecdsa()] for role in TOP}
        self.published = {}  # (role, version) -> bytes
        self.artifacts = {}
        self.asked = []
        self.answers = {}  # path -> function(handler): how a file is served in another way
        self.spacing = {"indent": 1}
        self.with_hashes = False
        self.hash_names = ["sha256"]
        self.md = {}
        self.new("root", keys={}, roles={r: {"keyids": [], "threshold": 1} for r in TOP},
                 consistent_snapshot=consistent)
        self.new("timestamp", meta={"snapshot.json": {"version": 1}})
        self.new("snapshot", meta={})
        self.new("targets", targets={})
        for role in TOP:
            self.trust(role)
        self.publish("targets", "snapshot", "timestamp", "root", bump=False)

    def new(self, role, **body):
        kind = role if role in TOP else "targets"
        self.md[role] = {"_type": kind, "spec_version": "1.0.34", "version": 1, "expires": expiry(), **body}

    def trust(self, role):
        """Write the signers of a top-level role into the root."""
        for key in self.signers[role]:
            self.md["root"]["keys"][key.id] = key.public
        self.md["root"]["roles"][role]["keyids"] = [key.id for key in self.signers[role]]

    def rotate(self, role):
        self.signers[role] = [ecdsa() for _ in self.signers[role]]
        self.trust(role)

    def sign(self, role, signers=None):
        body = self.md[role]
        data = encode_canonical(body).encode()
        signatures = [{"keyid": key.id, "sig": key.sign(data)} for key in signers or self.signers[role]]
        return json.dumps({"signatures": signatures, "signed": body}, **self.spacing).encode()

    def entry(self, version, text):
        entry = {"version": version}
        if self.with_hashes:
            entry["length"] = len(text)
            entry["hashes"] = {name: hashlib.new(name, text).hexdigest() for name in self.hash_names}
        return entry

    def publish(self, *roles, bump=True, signers=None):
        for role in roles:
            if bump:
                self.md[role]["version"] += 1
            text = self.sign(role, signers)
            version = self.md[role]["version"]
            self.published[role, version] = text
            self.published[role, None] = text
            if role == "snapshot":
                self.md["timestamp"]["meta"]["snapshot.json"] = self.entry(version, text)
            elif role not in TOP or role == "targets":
                self.md["snapshot"]["meta"][role + ".json"] = self.entry(version, text)

    def publish_all(self):
        self.publish("targets", "snapshot", "timestamp")

    def delegate(self, by, role, bump=True, **members):
        """A delegation, the role with a key of its own."""
        if role not in self.md:
            self.new(role, targets={})
            self.signers[role] = [ecdsa()]
            self.publish(role, bump=False)
        delegations = self.md[by].setdefault("delegations", {"keys": {}, "roles": []})
        for key in self.signers[role]:
            delegations["keys"][key.id] = key.public
        delegations["roles"].append({"name": role, "keyids": [key.id for key in self.signers[role]], "threshold": 1,
                                     "terminating": False, **members})

    def add(self, role, path, data, names=("sha256",)):
        self.md[role]["targets"][path] = {"length": len(data),
                                          "hashes": {n: hashlib.new(n, data).hexdigest() for n in names}}
        self.artifacts[path] = data

    def asked_metadata(self):
        return [path[len("/metadata/"):] for path in self.asked if path.startswith("/metadata/")]

    def find(self, path):
        """Bytes, or None."""
        if path.startswith("/metadata/") and path.endswith(".json"):
            name = path[len("/metadata/"):-len(".json")]
            number, dot, role = name.partition(".")
            versioned = dot and number.isdigit() and (role == "root" or self.md["root"]["consistent_snapshot"])
            return self.published.get((urllib.parse.unquote(role), int(number)) if versioned
                                      else (urllib.parse.unquote(name), None))
        if path.startswith("/targets/"):
            name = urllib.parse.unquote(path[len("/targets/"):])
            if self.md["root"]["consistent_snapshot"]:
                folder, slash, last = name.rpartition("/")
                name = folder + slash + last.partition(".")[2]
            return self.artifacts.get(name)
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        repo = self.server.repo
        repo.asked.append(self.path)
        if self.path in repo.answers:
            repo.answers[self.path](self)
            return
        data = repo.find(self.path)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, repo):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repo = repo
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that hangs up is what some tests are about
