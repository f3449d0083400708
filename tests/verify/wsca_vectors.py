#!/usr/bin/env python3
"""Reads the test vectors of the WSCA's protocol with nothing of Claviger's own.

usage: wsca_vectors.py FILE                    exit 0 when all holds, 1 with the first mismatch
       wsca_vectors.py --sabotage-check FILE   changes every value in turn, one at a time,
                                               and demands that each change is noticed

What docs/protocols/wsca.md describes is done here by hand: the envelope (compact JWE
and JWS, ECDH-ES and its key derivation), the hardening of the PIN (hashing to the
curve, RFC 9380), and OPAQUE (RFC 9807) with its OPRF (RFC 9497). AES-GCM, ECDH,
ECDSA's verification, HMAC and Argon2id come from the Python module `cryptography`.
"""

import base64
import copy
import functools
import hashlib
import hmac
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

PROFILE = "claviger-r2ps-1"
LARGEST = 128 * 1024
WINDOW = 120
TWO_FACTORS = {
    "2fa_update", "session_info", "session_end", "key_generate", "key_list", "key_sign", "key_agree",
    "key_state", "key_associate", "key_destroy", "item_store", "item_read", "item_remove",
    "unit_destroy",
}
ONE_FACTOR = {"2fa_registration", "create_session", "wsca_information", "audit_proof"}


class Mismatch(Exception):
    """A vector does not hold."""


class Refusal(Exception):
    """A message is refused; the code."""


def demand(holds, what):
    if not holds:
        raise Mismatch(what)


def verify(vectors):
    demand(vectors["profile"] == PROFILE, "another profile")
    keys = read_keys(vectors["keys"])
    session_key = proven(json.dumps({name: vectors[name] for name in ("unit", "context", "keys", "hardening", "opaque")}))
    reader = Reader(vectors, keys, session_key)
    kinds = set()
    for message in vectors["messages"]:
        reader.message(message)
        kinds.add(message["type"])
    demand(kinds == ONE_FACTOR | TWO_FACTORS, f"not every service type: {sorted(kinds)}")
    demand(len(vectors["refused"]) > 10, "too few refusals")
    for refused in vectors["refused"]:
        try:
            reader.request(refused["text"])
            code = None
        except Refusal as refusal:
            code = str(refusal)
        demand(code == refused["code"], f"{refused['name']}: {code} instead of {refused['code']}")
    return f"{len(vectors['messages'])} messages, {len(vectors['refused'])} refusals"


@functools.lru_cache(maxsize=2)
def proven(text):
    """The session key, from the PIN on. The same text again is not computed again."""
    vectors = json.loads(text)
    keys = read_keys(vectors["keys"])
    return opaque(vectors, keys, hardening(vectors, keys))


# P-256 (FIPS 186-5), as far as the OPRF needs it.

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
A = P - 3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(p, q):
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] + A) * pow(2 * p[1], -1, P) % P
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P) % P
    x = (slope * slope - p[0] - q[0]) % P
    return (x, (slope * (p[0] - x) - p[1]) % P)


def times(k, point):
    result = None
    while k:
        if k & 1:
            result = add(result, point)
        point = add(point, point)
        k >>= 1
    return result


def compressed(point):
    return bytes([2 + (point[1] & 1)]) + point[0].to_bytes(32, "big")


def uncompressed(point):
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def point(data):
    demand(len(data) == 33 and data[0] in (2, 3), "not a compressed point")
    x = int.from_bytes(data[1:], "big")
    y = pow((x * x * x + A * x + B) % P, (P + 1) // 4, P)
    demand(y * y % P == (x * x * x + A * x + B) % P, "not a point on the curve")
    return (x, y if y & 1 == data[0] & 1 else P - y)


# Hashing to the curve (RFC 9380, P256_XMD:SHA-256_SSWU_RO_).


def expand(message, tag, length):
    tag += bytes([len(tag)])
    first = hashlib.sha256(bytes(64) + message + length.to_bytes(2, "big") + b"\0" + tag).digest()
    blocks = [hashlib.sha256(first + b"\1" + tag).digest()]
    while 32 * len(blocks) < length:
        mixed = bytes(a ^ b for a, b in zip(first, blocks[-1]))
        blocks.append(hashlib.sha256(mixed + bytes([len(blocks) + 1]) + tag).digest())
    return b"".join(blocks)[:length]


def to_field(message, tag, modulus, count):
    uniform = expand(message, tag, 48 * count)
    return [int.from_bytes(uniform[48 * n : 48 * n + 48], "big") % modulus for n in range(count)]


def map_to_curve(u):
    z = P - 10
    tv = (z * z * pow(u, 4, P) + z * u * u) % P
    x = (-B) * pow(A, -1, P) * (1 + pow(tv, -1, P)) % P if tv else B * pow(z * A, -1, P) % P
    if pow((x * x * x + A * x + B) % P, (P - 1) // 2, P) not in (0, 1):
        x = z * u * u * x % P
    y = pow((x * x * x + A * x + B) % P, (P + 1) // 4, P)
    return (x, y if y & 1 == u & 1 else P - y)


def hash_to_curve(message, tag):
    first, second = to_field(message, tag, P, 2)
    return add(map_to_curve(first), map_to_curve(second))


# HMAC and HKDF (RFC 5869).


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf_expand(key, info, length):
    out, block = b"", b""
    while len(out) < length:
        block = mac(key, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:length]


def sized(data, size=2):
    return len(data).to_bytes(size, "big") + data


# The vectors, in their order.


def read_keys(entries):
    keys = {}
    for entry in entries:
        scalar = hashlib.sha256(b"claviger vector " + entry["name"].encode()).digest()
        demand(scalar.hex() == entry["private"], f"{entry['name']}: another private key")
        key = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
        public = key.public_key().public_numbers()
        x, y = (b64(n.to_bytes(32, "big")) for n in (public.x, public.y))
        demand(entry["jwk"] == {"kty": "EC", "crv": "P-256", "x": x, "y": y}, f"{entry['name']}: another JWK")
        canonical = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
        thumbprint = b64(hashlib.sha256(canonical.encode()).digest())
        demand(entry["thumbprint"] == thumbprint, f"{entry['name']}: another thumbprint")
        keys[entry["name"]] = (key, thumbprint)
    return keys


def hardening(vectors, keys):
    told = vectors["hardening"]
    tag = b"CLAVIGER-WSCA-PIN-V1-P256_XMD:SHA-256_SSWU_RO_"
    hashed = hash_to_curve(unit_of(vectors) + vectors["context"].encode(), tag)
    demand(uncompressed(hashed).hex() == told["point"], "hardening: another point")
    shared = agree(keys["device agreement"][0], uncompressed(hashed))
    demand(shared.hex() == told["shared"], "hardening: another shared secret")
    key = mac(b"claviger-wsca-pin-v1", shared)
    demand(key.hex() == told["key"], "hardening: another key")
    demand(told["pin"].isdigit(), "hardening: no PIN")
    hardened = mac(key, told["pin"].encode())
    demand(hardened.hex() == told["input"], "hardening: another input")
    return hardened


OPRF = b"OPRFV1-\0-P256-SHA256"


def derive_key(seed, info):
    material = seed + sized(info)
    for counter in range(256):
        (scalar,) = to_field(material + bytes([counter]), b"DeriveKeyPair" + OPRF, N, 1)
        if scalar:
            return scalar
    raise Mismatch("no key can be derived")


def opaque(vectors, keys, password):
    told = {name: bytes.fromhex(value) for name, value in vectors["opaque"].items() if name not in ("task", "session_id")}
    unit, context = unit_of(vectors), vectors["context"].encode()

    # The service's device: one MAC an evaluation.
    credential = told["credential_identifier"]
    demand(credential[:16] == unit and len(credential) == 48, "opaque: another credential identifier")
    material = mac(told["oprf_seed"], credential + b"OprfKey" + b"\1")
    demand(material == told["oprf_material"], "opaque: another OPRF material")
    demand(material == hkdf_expand(told["oprf_seed"], credential + b"OprfKey", 32), "opaque: no HKDF-Expand")
    oprf_key = derive_key(material, b"OPAQUE-DeriveKeyPair")
    server_private = int.from_bytes(told["server_private"], "big")
    server_public = compressed(times(server_private, G))
    demand(server_public == told["server_public"], "opaque: another server key")

    # Registration.
    element = hash_to_curve(password, b"HashToGroup-" + OPRF)
    blind = int.from_bytes(told["registration_blind"], "big")
    blinded = times(blind, element)
    demand(compressed(blinded) == told["registration_request"], "opaque: another registration request")
    evaluated = compressed(times(oprf_key, blinded))
    demand(evaluated + server_public == told["registration_response"], "opaque: another registration response")
    randomized = randomize(password, blind, evaluated)
    record = told["record"]
    client_public, masking, nonce, tag = record[:33], record[33:65], record[65:97], record[97:]
    demand(masking == hkdf_expand(randomized, b"MaskingKey", 32), "opaque: another masking key")
    private = recover(randomized, nonce, tag, server_public, context, unit)
    demand(compressed(times(private, G)) == client_public, "opaque: the record has another public key")

    # Login.
    transcript = b"".join(
        sized(part, 4)
        for part in (
            PROFILE.encode(),
            context,
            unit,
            unb64(keys["device signing"][1]),
            vectors["opaque"]["task"].encode(),
            vectors["opaque"]["session_id"].encode(),
        )
    )
    demand(transcript == told["transcript"], "opaque: another transcript")
    blind = int.from_bytes(told["login_blind"], "big")
    ephemeral = int.from_bytes(told["login_ephemeral"], "big")
    ke1 = compressed(times(blind, element)) + told["login_nonce"] + compressed(times(ephemeral, G))
    demand(ke1 == told["ke1"], "opaque: another KE1")
    ke2 = told["ke2"]
    demand(len(ke2) == 33 + 32 + 97 + 32 + 33 + 32, "opaque: KE2 has another length")
    response, server_nonce, server_share, server_mac = ke2[:162], ke2[162:194], ke2[194:227], ke2[227:]
    evaluated, masking_nonce, masked = response[:33], response[33:65], response[65:]
    demand(evaluated == compressed(times(oprf_key, point(ke1[:33]))), "opaque: another evaluation")
    randomized = randomize(password, blind, evaluated)
    pad = hkdf_expand(hkdf_expand(randomized, b"MaskingKey", 32), masking_nonce + b"CredentialResponsePad", 97)
    clear = bytes(a ^ b for a, b in zip(masked, pad))
    demand(clear == server_public + record[65:], "opaque: the response hides something else")
    private = recover(randomized, clear[33:65], clear[65:], server_public, context, unit)
    share = point(server_share)
    ikm = b"".join(
        compressed(times(k, q))
        for k, q in ((ephemeral, share), (ephemeral, point(server_public)), (private, share))
    )
    preamble = (
        b"OPAQUEv1-" + sized(transcript) + sized(unit) + ke1 + sized(context) + response + server_nonce + server_share
    )
    hashed = hashlib.sha256(preamble).digest()
    prk = mac(bytes(32), ikm)
    handshake, session = (derive_secret(prk, label, hashed) for label in (b"HandshakeSecret", b"SessionKey"))
    km2, km3 = (derive_secret(handshake, label, b"") for label in (b"ServerMAC", b"ClientMAC"))
    demand(server_mac == mac(km2, hashed), "opaque: the service does not prove itself")
    ke3 = mac(km3, hashlib.sha256(preamble + server_mac).digest())
    demand(ke3 == told["ke3"], "opaque: another KE3")
    demand(session == told["session_key"], "opaque: another session key")
    return session


def randomize(password, blind, evaluated):
    unblinded = compressed(times(pow(blind, -1, N), point(evaluated)))
    output = hashlib.sha256(sized(password) + sized(unblinded) + b"Finalize").digest()
    stretched = Argon2id(salt=bytes(16), length=32, iterations=2, lanes=1, memory_cost=19456).derive(output)
    return mac(bytes(32), output + stretched)


def recover(randomized, nonce, tag, server_public, server, client):
    auth = hkdf_expand(randomized, nonce + b"AuthKey", 32)
    clear = server_public + sized(server) + sized(client)
    demand(tag == mac(auth, nonce + clear), "opaque: the envelope does not open")
    seed = hkdf_expand(randomized, nonce + b"PrivateKey", 32)
    return derive_key(seed, b"OPAQUE-DeriveDiffieHellmanKeyPair")


def derive_secret(secret, label, context):
    return hkdf_expand(secret, (32).to_bytes(2, "big") + sized(b"OPAQUE-" + label, 1) + sized(context, 1), 32)


class Reader:
    """Both readers of messages: the service and the phone."""

    def __init__(self, vectors, keys, session_key):
        self.keys = keys
        self.session_key = session_key
        self.at = vectors["at"]
        self.unit = vectors["unit"]
        self.context = vectors["context"]
        self.session = vectors["opaque"]["session_id"]

    def message(self, message):
        name = message["name"]
        demand(message["direction"] in ("request", "answer"), f"{name}: neither request nor answer")
        try:
            if message["direction"] == "request":
                payload, factors = self.request(message["text"])
                demand(payload["type"] == message["type"], f"{name}: another type")
            else:
                payload, factors = self.answer(message["text"])
                demand("type" not in payload, f"{name}: an answer with a type")
        except Refusal as refusal:
            raise Mismatch(f"{name}: refused: {refusal}") from refusal
        wanted = "2fa" if message["type"] in TWO_FACTORS else "1fa"
        demand(factors == message["factors"] == wanted, f"{name}: {factors}")
        demand(payload["data"] == message["data"], f"{name}: other data")
        demand(standard(payload["nonce"]) == unb64(message["nonce"]), f"{name}: another nonce")

    def request(self, text):
        """What the service makes of it: section 3, in its order."""
        header, encoded, content = self.open(text, "service agreement", (self.unit, self.context))
        payload = self.signed(content, "r2ps-request+jwt", "device signing", True)
        self.well_formed(payload, {"ver", "nonce", "iat", "type", "jwe_hash", "data"})
        if standard(payload["jwe_hash"]) != hashlib.sha256(encoded.encode()).digest():
            raise Refusal("UNAUTHORIZED")
        self.fresh(payload)
        wanted = {"r2ps-1fa": ONE_FACTOR, "r2ps-2fa": TWO_FACTORS}[header["typ"]]
        if payload["type"] not in wanted:
            raise Refusal("UNSUPPORTED_REQUEST_TYPE")
        return payload, header["typ"][-3:]

    def answer(self, text):
        """What the phone makes of it."""
        header, _, content = self.open(text, "device agreement", (self.context, self.unit))
        payload = self.signed(content, "r2ps-response+jwt", "service signing", False)
        self.well_formed(payload, {"ver", "nonce", "iat", "data"})
        self.fresh(payload)
        return payload, header["typ"][-3:]

    def open(self, text, recipient, parties):
        if len(text) > LARGEST or text.count(".") != 4:
            raise Refusal("ILLEGAL_REQUEST_DATA")
        encoded, encrypted_key, iv, ciphertext, tag = text.split(".")
        try:
            header = strict(unb64(encoded))
            iv, ciphertext, tag = unb64(iv), unb64(ciphertext), unb64(tag)
        except ValueError as error:
            raise Refusal("ILLEGAL_REQUEST_DATA") from error
        if encrypted_key or len(iv) != 12 or len(tag) != 16:
            raise Refusal("ILLEGAL_REQUEST_DATA")
        if header.get("enc") != "A256GCM" or header.get("cty") != "JWT" or "crit" in header or "zip" in header:
            raise Refusal("ILLEGAL_REQUEST_DATA")
        if (header.get("typ"), header.get("alg")) == ("r2ps-1fa", "ECDH-ES"):
            names = tuple(unb64(header[name]).decode() for name in ("apu", "apv"))
            if names != parties or header["kid"] != self.keys[recipient][1]:
                raise Refusal("ILLEGAL_REQUEST_DATA")
            epk = header["epk"]
            peer = b"\x04" + unb64(epk["x"]) + unb64(epk["y"])
            shared = agree(self.keys[recipient][0], peer)
            # The Concat KDF of RFC 7518, 4.6.2: one round.
            info = b"".join(sized(part, 4) for part in (b"A256GCM", *map(str.encode, names)))
            key = hashlib.sha256((1).to_bytes(4, "big") + shared + info + (256).to_bytes(4, "big")).digest()
        elif (header.get("typ"), header.get("alg")) == ("r2ps-2fa", "dir"):
            if header["kid"] != self.session:
                raise Refusal("NO_SESSION")
            key = self.session_key
        else:
            raise Refusal("ILLEGAL_REQUEST_DATA")
        try:
            return header, encoded, AESGCM(key).decrypt(iv, ciphertext + tag, encoded.encode()).decode()
        except InvalidTag as error:
            raise Refusal("UNAUTHORIZED") from error

    def signed(self, text, typ, signer, is_request):
        if text.count(".") != 2:
            raise Refusal("ILLEGAL_REQUEST_DATA")
        header, payload, signature = text.split(".")
        said = strict(unb64(header))
        if said.get("typ") != typ:
            raise Refusal("ILLEGAL_REQUEST_DATA")
        key, thumbprint = self.keys[signer]
        if said.get("kid") != thumbprint or said.get("alg") != "ES256":
            raise Refusal("UNAUTHORIZED")
        raw = unb64(signature)
        if len(raw) != 64:
            raise Refusal("ILLEGAL_REQUEST_DATA")
        der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        try:
            key.public_key().verify(der, f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise Refusal("UNAUTHORIZED") from error
        return strict(unb64(payload))

    @staticmethod
    def well_formed(payload, members):
        if set(payload) != members or payload["ver"] != "1.0":
            raise Refusal("ILLEGAL_REQUEST_DATA")

    def fresh(self, payload):
        if not 16 <= len(standard(payload["nonce"])) <= 64:
            raise Refusal("ILLEGAL_REQUEST_DATA")
        if abs(payload["iat"] - self.at) > WINDOW:
            raise Refusal("STALE")


def unit_of(vectors):
    return bytes.fromhex(vectors["unit"].replace("-", ""))


def agree(private, peer):
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer)
    return private.exchange(ec.ECDH(), public)


def strict(data):
    """JSON in which no member stands twice."""

    def once(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("a member stands twice")
        return dict(pairs)

    return json.loads(data, object_pairs_hook=once)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(decoded) != text:
        raise ValueError("not canonical base64url")
    return decoded


def standard(text):
    """Base64 with padding, as the draft has it in payloads."""
    return base64.b64decode(text, validate=True)


# Sabotage: every value that says something, changed once.


def sabotage_check(vectors):
    verify(vectors)
    paths = list(leaves(vectors, ()))
    for path in paths:
        changed = copy.deepcopy(vectors)
        inner = changed
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = other(inner[path[-1]])
        try:
            verify(changed)
        except (Mismatch, Refusal, ValueError, KeyError, TypeError, OverflowError):
            continue
        raise Mismatch(f"a change of {'/'.join(map(str, path))} goes unnoticed")
    return f"{len(paths)} changes noticed"


def leaves(value, path):
    """The values that mean something: no titles, and of each message's data one value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if (not path and name == "about") or (path and path[0] in ("messages", "refused") and name == "name"):
                continue
            if name == "data" and path and path[0] == "messages":
                yield (*path, name)
            else:
                yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    elif not (path[0] == "refused" and path[-1] == "text"):
        yield path


def other(value):
    if isinstance(value, int):
        return value + 1000
    if isinstance(value, dict):
        return {**value, "more": 1}
    middle = len(value) // 2
    return value[:middle] + ("0" if value[middle] != "0" else "1") + value[middle + 1 :]


def main():
    arguments = sys.argv[1:]
    check = sabotage_check if arguments[:1] == ["--sabotage-check"] else verify
    files = [argument for argument in arguments if not argument.startswith("--")]
    if len(files) != 1:
        sys.exit(__doc__)
    try:
        print(f"{Path(files[0]).name}: {check(strict(Path(files[0]).read_bytes()))}")
    except Mismatch as mismatch:
        print(f"MISMATCH: {mismatch}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
