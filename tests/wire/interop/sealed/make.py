#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encrypted images put together with Python's cryptography package from MCUboot's documents, not with Holdfast's code.

Writes aes128.img, aes256.img, plain.bin and the keys beside this file; they are committed, because the signature and
the ephemeral key differ at each run. test_seal opens and verifies them.
"""
import hashlib, hmac, os, struct, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = os.path.dirname(os.path.abspath(__file__))
ENC = serialization.Encoding
PUB = serialization.PublicFormat


def ctr(key, data):
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    return stream.update(data) + stream.finalize()


def wrap(public, key):
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    shared = ephemeral.exchange(ec.ECDH(), public)
    derived = HKDF(hashes.SHA256(), len(key) + 32, None, b"MCUBoot_ECIES_v1").derive(shared)
    cipherkey = ctr(derived[: len(key)], key)
    mac = hmac.new(derived[len(key) :], cipherkey, hashlib.sha256).digest()
    return ephemeral.public_key().public_bytes(ENC.X962, PUB.UncompressedPoint) + mac + cipherkey


def tlv(kind, value):
    return struct.pack("<HH", kind, len(value)) + value


def image(payload, flag, key, signer, device):
    protected = tlv(0x50, struct.pack("<I", 7))
    protected = struct.pack("<HH", 0x6908, len(protected) + 4) + protected
    header = struct.pack("<IIHHIIBBHII", 0x96F3B83D, 0, 512, len(protected), len(payload), flag, 2, 1, 3, 9, 0)
    header += bytes(512 - len(header))
    digest = hashlib.sha256(header + payload + protected).digest()
    spki = signer.public_key().public_bytes(ENC.DER, PUB.SubjectPublicKeyInfo)
    signature = signer.sign(header + payload + protected, ec.ECDSA(hashes.SHA256()))
    rest = tlv(0x10, digest) + tlv(0x01, hashlib.sha256(spki).digest()) + tlv(0x22, signature)
    rest += tlv(0x32, wrap(device.public_key(), key))
    return header + ctr(key, payload) + protected + struct.pack("<HH", 0x6907, len(rest) + 4) + rest


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as out:
        out.write(data)


def main():
    signer = ec.generate_private_key(ec.SECP256R1())
    device = ec.generate_private_key(ec.SECP256R1())
    payload = b"".join(hashlib.sha256(struct.pack("<I", i)).digest() for i in range(63)) + b"odd end"
    write("plain.bin", payload)
    write("aes128.img", image(payload, 4, os.urandom(16), signer, device))
    write("aes256.img", image(payload, 8, os.urandom(32), signer, device))
    write("signer.pub", signer.public_key().public_bytes(ENC.PEM, PUB.SubjectPublicKeyInfo))
    write("device.pem", device.private_bytes(ENC.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
