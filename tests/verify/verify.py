#!/usr/bin/env python3
"""Verifies what `claviger demo --out DIR` kept, with nothing of Claviger's own.

usage: verify.py DIR                    exit 0 when all holds, 1 with the first mismatch
       verify.py --sabotage-check DIR   breaks a copy of every artefact in turn and
                                        demands that each break is noticed

JOSE, COSE, the status lists and the QCStatements are read here by hand; X.509 and
ECDSA come from the Python module `cryptography`, JSON and zlib from Python.
"""

import base64
import hashlib
import json
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

ALGORITHMS = {
    "ES256": (ec.SECP256R1, hashes.SHA256, 32),
    "ES384": (ec.SECP384R1, hashes.SHA384, 48),
    "ES512": (ec.SECP521R1, hashes.SHA512, 66),
}
CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
QC_STATEMENTS = "1.3.6.1.5.5.7.1.3"
QC_TYPE = "0.4.0.1862.1.6"
QCT_PID = "0.4.0.194126.1.1"
QCT_WALLET = "0.4.0.194126.1.2"
# Headers that JAdES lets a signer make critical (ETSI TS 119 182-1, 5.1.9).
JADES_CRITICAL = {"sigT", "sigD", "b64", "srCms", "sigPl", "srAts", "adoTst", "sigPId", "x5t#o", "sigX5ts", "etsiU"}
COSE_ALGORITHMS = {-7: "ES256", -35: "ES384", -36: "ES512"}
# The claims of a status list token as CWT (RFC 8392; Token Status List, 5.2).
CWT_CLAIMS = {"sub": 2, "exp": 4, "iat": 6, "ttl": 65534}
CWT_STATUS_LIST = 65533
LARGEST_STATUS_LIST = 64 * 1024 * 1024
DAY = 24 * 60 * 60


class Mismatch(Exception):
    """Something kept by the demo is not what it should be."""


def demand(holds, what):
    if not holds:
        raise Mismatch(what)


def verify(folder):
    """Verifies everything in the folder; returns one line per thing proven."""
    run = Run(Path(folder))
    run.manifest = run.json("manifest.json")
    run.lists()
    run.wallet_provider()
    run.wia()
    run.ka()
    run.status()
    return run.proven


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.proven = []

    # The steps, in the order of trust: lists, certificates, tokens, status.

    def lists(self):
        operator = self.certificate(self.manifest["operator_certificate"])
        self.by_profile = {}
        for entry in self.manifest["lists"]:
            name, profile = entry["file"], entry["profile"]
            jws = self.jws(name)
            chain = jws.chain()
            demand(chain[0] == der(operator), f"{name}: sealed by another certificate than the operator's")
            digest = b64(hashlib.sha256(chain[0]).digest())
            demand(jws.header.get("x5t#S256") == digest, f"{name}: x5t#S256 is not the hash of x5c[0]")
            demand(isinstance(jws.header.get("iat"), int), f"{name}: no signing time")
            critical = jws.header.get("crit", [])
            demand(set(critical) <= JADES_CRITICAL, f"{name}: critical headers {critical} are unknown")
            jws.verify(operator.public_key())
            lote = jws.payload["LoTE"]
            scheme = lote["ListAndSchemeInformation"]
            subject = {a.rfc4514_attribute_name: a.value for a in operator.subject}
            demand(subject.get("C") == scheme["SchemeTerritory"], f"{name}: the operator's C is not the territory")
            operators = [n["value"] for n in scheme["SchemeOperatorName"]]
            demand(subject.get("O") in operators, f"{name}: the operator's O is not its name on the list")
            self.by_profile[profile] = lote
            self.certificates_on(name, profile, lote)
            self.proven.append(f"{name}: sealed by the operator, number {scheme['LoTESequenceNumber']}")
        for profile in ("wallet", "pid"):
            demand(profile in self.by_profile, f"there is no list of profile {profile}")

    def certificates_on(self, name, profile, lote):
        wanted = {"pid": QCT_PID, "wallet": QCT_WALLET}.get(profile)
        found = 0
        for entity in lote["TrustedEntitiesList"]:
            for kind, _, certificate in services(entity):
                found += 1
                demand(certificate.public_key() is not None, f"{name}: a certificate without a key")
                if wanted and kind.endswith("/Issuance"):
                    demand(not is_ca(certificate), f"{name}: holds a CA where signers belong")
                    demand(wanted in qc_types(certificate), f"{name}: a signer without QcType {wanted}")
                elif profile == "access" and kind.endswith("/Issuance"):
                    demand(is_ca(certificate), f"{name}: holds a certificate that is no CA")
        demand(found > 0, f"{name}: holds no certificate")

    def wallet_provider(self):
        name = self.manifest["wallet_provider_certificate"]
        self.provider = self.certificate(name)
        wallet = self.by_profile["wallet"]["TrustedEntitiesList"]
        self.entity = next(
            (e for e in wallet if any(der(c) == der(self.provider) for k, _, c in services(e) if k.endswith("/Issuance"))),
            None,
        )
        demand(self.entity is not None, f"{name}: not on the wallet list")
        usage = extension(self.provider, x509.KeyUsage)
        demand(usage is not None and usage.digital_signature, f"{name}: its key may not sign")
        self.proven.append(f"{name}: on the wallet list, QcType wallet, an end entity that may sign")

    def wia(self):
        name = self.manifest["wia"]
        wia = self.by_provider(name, "oauth-client-attestation+jwt")
        claims = wia.payload
        self.client_status = maintained(name, claims, "client_status", claims["exp"])
        names = [n for k, n, c in services(self.entity) if der(c) == der(self.provider) and k.endswith("/Issuance")]
        demand(
            any(claims["wallet_name"] in n for n in names),
            f"{name}: wallet_name {claims['wallet_name']!r} is not the service's name on the list",
        )
        self.proven.append(f"{name}: signed by the listed wallet provider for {claims['wallet_name']}")

        name = self.manifest["wia_pop"]
        pop = self.jws(name, "oauth-client-attestation-pop+jwt")
        pop.verify(from_jwk(name, claims["cnf"]["jwk"]))
        demand(pop.payload.get("aud") and pop.payload.get("jti"), f"{name}: no audience or no jti")
        self.proven.append(f"{name}: made by the key in cnf, for {pop.payload['aud']}")

    def ka(self):
        name = self.manifest["ka"]
        ka = self.by_provider(name, "key-attestation+jwt")
        claims = ka.payload
        keys = claims["attested_keys"]
        demand(keys, f"{name}: attests no key")
        seen = {json.dumps({m: key[m] for m in ("kty", "crv", "x", "y")}, sort_keys=True) for key in keys}
        demand(len(seen) == len(keys), f"{name}: attests a key twice")
        demand(not any("d" in key for key in keys), f"{name}: shows a private key")
        demand(claims["iat"] < claims["exp"], f"{name}: ends before it begins")
        for levels in ("key_storage", "user_authentication"):
            claimed = claims.get(levels)
            if self.manifest.get("device_certified"):
                demand(claimed, f"{name}: does not say its {levels}")
            else:
                demand(claimed is None, f"{name}: claims a {levels} that no certification earned")
        self.key_storage_status = maintained(name, claims, "key_storage_status", claims["exp"])
        self.proven.append(f"{name}: signed by the listed wallet provider, {len(keys)} keys")

        name = self.manifest["ka_proof"]
        proof = self.jws(name, "openid4vci-proof+jwt")
        demand(proof.header.get("key_attestation") == ka.text, f"{name}: carries another key attestation")
        proof.verify(from_jwk(name, keys[0]))
        demand(proof.payload.get("aud") and proof.payload.get("nonce"), f"{name}: no audience or no nonce")
        self.proven.append(f"{name}: made by attested_keys[0], for {proof.payload['aud']}")

    def status(self):
        unit = self.manifest["unit"]
        for member, stated in (("client_status", self.client_status), ("key_storage_status", self.key_storage_status)):
            kept = unit[member]
            demand((kept["uri"], kept["idx"]) == stated, f"{member}: the token points to {stated}")
        listed = {}
        for entry in self.manifest["status"]:
            before, after = (self.both_forms(entry[w], entry[f"{w}_cwt"], entry["uri"]) for w in ("before", "after"))
            demand(before["iat"] <= after["iat"], f"{entry['after']}: older than {entry['before']}")
            demand(not bits_lost(before, after), f"{entry['after']}: a revoked entry came back to life")
            listed[entry["uri"]] = (before, after)
        for member in ("client_status", "key_storage_status"):
            uri, idx = unit[member]["uri"], unit[member]["idx"]
            demand(uri in listed, f"{member}: its list {uri} was not kept")
            before, after = (value(at, idx) for at in listed[uri])
            demand(before == 0, f"{member}: entry {idx} was {before} before the revocation")
            # An entry that stands for a type of device is not the user's to revoke.
            wanted = 0 if unit[member].get("shared") else 1
            demand(after == wanted, f"{member}: entry {idx} is {after} after the revocation")
            self.proven.append(f"{member}: entry {idx} was {before} and became {after}")

    def both_forms(self, jwt_name, cwt_name, uri):
        """The list as it was served in either form, which say the same."""
        jwt, cwt = self.status_list(jwt_name, uri), self.status_list_cwt(cwt_name, uri)
        for said in ("bits", "packed", "iat", "exp", "ttl", "aggregation_uri"):
            demand(jwt[said] == cwt[said], f"{cwt_name}: its {said} is not that of {jwt_name}")
        return jwt

    def status_list(self, name, uri):
        jws = self.jws(name, "statuslist+jwt")
        jws.verify(self.status_signer(name, jws.chain()).public_key())
        claims = jws.payload
        stated = claims["status_list"]
        return self.status_claims(name, uri, claims, stated, unb64(name, stated["lst"]))

    def status_list_cwt(self, name, uri):
        cose = CoseSign1(name, self.bytes(name), "application/statuslist+cwt")
        cose.verify(self.status_signer(name, cose.chain()).public_key())
        claims = {said: cose.payload[key] for said, key in CWT_CLAIMS.items()}
        stated = cose.payload[CWT_STATUS_LIST]
        return self.status_claims(name, uri, claims, stated, stated["lst"])

    def status_signer(self, name, chain):
        signers = [c for k, _, c in services(self.entity) if k.endswith("/Revocation")]
        signer = next((c for c in signers if der(c) == chain[0]), None)
        demand(signer is not None, f"{name}: its signer is not the provider's revocation service")
        return signer

    def status_claims(self, name, uri, claims, stated, lst):
        demand(claims["sub"] == uri, f"{name}: speaks of {claims['sub']}")
        demand(claims["iat"] < claims["exp"], f"{name}: ends before it begins")
        bits = stated["bits"]
        demand(bits in (1, 2, 4, 8), f"{name}: {bits} bits per entry")
        inflate = zlib.decompressobj()
        packed = inflate.decompress(lst, LARGEST_STATUS_LIST)
        demand(inflate.eof and not inflate.unused_data, f"{name}: the list is cut off, too long, or followed by more")
        entries = len(packed) * 8 // bits
        demand(entries >= 10_000, f"{name}: only {entries} entries")
        self.proven.append(f"{name}: signed by the listed revocation service, {entries} entries")
        times = {said: claims[said] for said in ("iat", "exp", "ttl")}
        aggregation = stated.get("aggregation_uri")
        return {"name": name, "bits": bits, "packed": packed, "entries": entries, "aggregation_uri": aggregation} | times

    # Reading.

    def by_provider(self, name, typ):
        jws = self.jws(name, typ)
        demand(jws.chain()[0] == der(self.provider), f"{name}: signed by a certificate that is not on the list")
        jws.verify(self.provider.public_key())
        return jws

    def bytes(self, name):
        path = self.folder / name
        demand(path.resolve().is_relative_to(self.folder.resolve()), f"{name}: outside the folder")
        demand(path.is_file(), f"{name}: missing")
        return path.read_bytes()

    def json(self, name):
        return parse(name, self.bytes(name))

    def jws(self, name, typ=None):
        return Jws(name, self.bytes(name), typ)

    def certificate(self, name):
        return x509.load_pem_x509_certificate(self.bytes(name))


class Jws:
    """A compact JWS (RFC 7515). Nothing of it is proven before verify()."""

    def __init__(self, name, raw, typ):
        self.name = name
        self.text = raw.decode("ascii").strip()
        parts = self.text.split(".")
        demand(len(parts) == 3, f"{name}: not a compact JWS")
        self.signed = f"{parts[0]}.{parts[1]}".encode()
        self.header = parse(name, unb64(name, parts[0]))
        self.payload = parse(name, unb64(name, parts[1]))
        self.signature = unb64(name, parts[2])
        demand(self.header.get("alg") in ALGORITHMS, f"{name}: algorithm {self.header.get('alg')}")
        if typ:
            demand(self.header.get("typ") == typ, f"{name}: typ is {self.header.get('typ')}, not {typ}")

    def chain(self):
        demand(self.header.get("x5c"), f"{self.name}: no x5c")
        return [base64.b64decode(c, validate=True) for c in self.header["x5c"]]

    def verify(self, key):
        verify_signature(self.name, self.header["alg"], key, self.signed, self.signature)


class CoseSign1:
    """A tagged COSE_Sign1 (RFC 9052) with a map as its payload."""

    def __init__(self, name, raw, typ):
        self.name = name
        message, rest = cbor(raw)
        demand(not rest, f"{name}: bytes follow the message")
        demand(isinstance(message, Tagged) and message.tag == 18, f"{name}: not a tagged COSE_Sign1")
        protected, unprotected, payload, self.signature = message.content
        self.header, rest = cbor(protected)
        demand(not rest and unprotected == {}, f"{name}: headers that are not all protected")
        demand(self.header.get(16) == typ, f"{name}: typ is {self.header.get(16)}, not {typ}")
        demand(self.header.get(1) in COSE_ALGORITHMS, f"{name}: algorithm {self.header.get(1)}")
        # Sig_structure: an array of a text and three byte strings.
        self.signed = b"\x84\x6aSignature1" + b"".join(map(cbor_bytes, (protected, b"", payload)))
        self.payload, rest = cbor(payload)
        demand(not rest, f"{name}: bytes follow the claims")

    def chain(self):
        chain = self.header[33]
        return [chain] if isinstance(chain, bytes) else chain

    def verify(self, key):
        verify_signature(self.name, COSE_ALGORITHMS[self.header[1]], key, self.signed, self.signature)


class Tagged:
    def __init__(self, tag, content):
        self.tag, self.content = tag, content


def cbor(raw):
    """The first item of definite length (RFC 8949) and the bytes after it."""
    kind, short = raw[0] >> 5, raw[0] & 0x1F
    if short < 24:
        number, raw = short, raw[1:]
    else:
        demand(24 <= short <= 27, f"CBOR of an indefinite length, or none at all: {raw[0]:#x}")
        size = 1 << (short - 24)
        demand(len(raw) > size, "a CBOR item is cut off")
        number, raw = int.from_bytes(raw[1 : 1 + size], "big"), raw[1 + size :]
    if kind == 0:
        return number, raw
    if kind == 1:
        return -1 - number, raw
    if kind in (2, 3):
        demand(number <= len(raw), "a CBOR string is cut off")
        text, raw = raw[:number], raw[number:]
        return (text if kind == 2 else text.decode("utf-8")), raw
    if kind == 4:
        items = []
        for _ in range(number):
            item, raw = cbor(raw)
            items.append(item)
        return items, raw
    if kind == 5:
        entries = {}
        for _ in range(number):
            key, raw = cbor(raw)
            demand(key not in entries, f"the CBOR key {key!r} stands twice")
            entries[key], raw = cbor(raw)
        return entries, raw
    demand(kind == 6, f"CBOR of a kind that has no place here: {kind}")
    content, raw = cbor(raw)
    return Tagged(number, content), raw


def cbor_bytes(raw):
    """A byte string in CBOR, its length in the shortest form."""
    length = len(raw)
    if length < 24:
        return bytes([0x40 | length]) + raw
    size = next(size for size in (0, 1, 2, 3) if length < 1 << (8 << size))
    return bytes([0x58 + size]) + length.to_bytes(1 << size, "big") + raw


def verify_signature(name, algorithm, key, signed, signature):
    curve, digest, size = ALGORITHMS[algorithm]
    demand(isinstance(key, ec.EllipticCurvePublicKey), f"{name}: not an elliptic-curve key")
    demand(isinstance(key.curve, curve), f"{name}: the key's curve does not fit {algorithm}")
    demand(len(signature) == 2 * size, f"{name}: a signature of {len(signature)} bytes")
    r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
    try:
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(digest()))
    except InvalidSignature:
        raise Mismatch(f"{name}: the signature does not verify") from None


def parse(name, raw):
    def once(pairs):
        members = dict(pairs)
        demand(len(members) == len(pairs), f"{name}: a JSON member stands twice")
        return members

    return json.loads(raw.decode("utf-8"), object_pairs_hook=once)


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(name, text):
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    demand(b64(raw) == text, f"{name}: not base64url in its only form")
    return raw


def from_jwk(name, jwk):
    demand(jwk.get("kty") == "EC" and jwk.get("crv") in CURVES, f"{name}: not an EC key")
    x, y = (int.from_bytes(unb64(name, jwk[m]), "big") for m in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, CURVES[jwk["crv"]]()).public_key()


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def services(entity):
    """Each certificate of an entity with its service's type and names."""
    for service in entity["TrustedEntityServices"]:
        information = service["ServiceInformation"]
        names = [n["value"] for n in information["ServiceName"]]
        for certificate in information["ServiceDigitalIdentity"]["X509Certificates"]:
            parsed = x509.load_der_x509_certificate(base64.b64decode(certificate["val"], validate=True))
            yield information["ServiceTypeIdentifier"], names, parsed


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_ca(certificate):
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def qc_types(certificate):
    """The types in the certificate's QcType statement (ETSI EN 319 412-5)."""
    for e in certificate.extensions:
        if e.oid.dotted_string == QC_STATEMENTS:
            for statement in elements(only(e.value.value, 0x30)):
                parts = list(elements(tagged(statement, 0x30)))
                if dotted(tagged(parts[0], 0x06)) == QC_TYPE and len(parts) > 1:
                    return [dotted(tagged(t, 0x06)) for t in elements(tagged(parts[1], 0x30))]
    return []


def elements(raw):
    """The DER elements that stand one after another: (tag, content)."""
    while raw:
        tag, length, at = raw[0], raw[1], 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(raw[2 : 2 + count], "big")
            at += count
        demand(at + length <= len(raw), "a DER element is cut off")
        yield tag, raw[at : at + length]
        raw = raw[at + length :]


def only(raw, tag):
    found = list(elements(raw))
    demand(len(found) == 1, "more than one DER element")
    return tagged(found[0], tag)


def tagged(element, tag):
    demand(element[0] == tag, f"DER tag {element[0]:#x} where {tag:#x} belongs")
    return element[1]


def dotted(raw):
    arcs, arc = [], 0
    for byte in raw:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def maintained(name, claims, member, token_end):
    """Where a token's status stands; its maintenance outlives the token by 31 days (TS3 2.4.2)."""
    status = claims[member]
    demand(status["exp"] >= token_end + 31 * DAY, f"{name}: {member} is maintained for less than 31 days past the token")
    reference = status["status"]["status_list"]
    return reference["uri"], reference["idx"]


def value(status_list, idx):
    bits = status_list["bits"]
    demand(0 <= idx < status_list["entries"], f"{status_list['name']}: there is no entry {idx}")
    return status_list["packed"][idx * bits // 8] >> (idx * bits % 8) & ((1 << bits) - 1)


def bits_lost(before, after):
    """Bits that were set and are not any more: nothing revoked comes back."""
    was, now = (int.from_bytes(at["packed"], "little") for at in (before, after))
    return was & ~now


# Sabotage.


def attempt(folder):
    """None when everything verifies, else the first mismatch."""
    try:
        verify(folder)
    except Mismatch as mismatch:
        return str(mismatch)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, zlib.error) as broken:
        return f"unreadable: {type(broken).__name__}: {broken}"
    return None


def flip(raw, at):
    return raw[:at] + bytes([raw[at] ^ 0x01]) + raw[at + 1 :]


def places(raw):
    return sorted({0, len(raw) // 3, len(raw) // 2, len(raw) - 1})


def broken_tokens(text):
    """The token with one bit flipped, at several places of each part."""
    parts = text.strip().split(".")
    for index, part in enumerate(parts):
        raw = unb64("token", part)
        for at in places(raw):
            changed = parts[:index] + [b64(flip(raw, at))] + parts[index + 1 :]
            yield f"{('header', 'payload', 'signature')[index]} byte {at}", ".".join(changed).encode()
    yield "cut off", text.strip()[:-4].encode()
    yield "without a signature", ".".join(parts[:2] + [""]).encode()


def sabotages(folder, manifest):
    """(what, {file: new bytes}) for everything that must be noticed."""
    read = lambda name: (folder / name).read_bytes()
    tokens = [manifest[m] for m in ("wia", "wia_pop", "ka", "ka_proof")]
    tokens += [entry["file"] for entry in manifest["lists"]]
    tokens += [entry[when] for entry in manifest["status"] for when in ("before", "after")]
    for name in tokens:
        for what, raw in broken_tokens(read(name).decode()):
            yield f"{name}, {what}", {name: raw}
    certificates = [manifest["operator_certificate"], manifest["wallet_provider_certificate"]]
    for name, other in (certificates, certificates[::-1]):
        yield f"{name}, replaced by {other}", {name: read(other)}
        raw = der(x509.load_pem_x509_certificate(read(name)))
        for at in places(raw):
            pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(flip(raw, at)) + b"-----END CERTIFICATE-----\n"
            yield f"{name}, byte {at}", {name: pem}
    for entry in manifest["status"]:
        yield f"{entry['uri']}, before for after", {entry["after"]: read(entry["before"])}
        yield f"{entry['uri']}, after for before", {entry["before"]: read(entry["after"])}
        for when, other in (("before_cwt", "after_cwt"), ("after_cwt", "before_cwt")):
            yield f"{entry['uri']}, {other} for {when}", {entry[when]: read(entry[other])}
            raw = read(entry[when])
            for at in places(raw):
                yield f"{entry[when]}, byte {at}", {entry[when]: flip(raw, at)}
            yield f"{entry[when]}, cut off", {entry[when]: raw[:-1]}
            yield f"{entry[when]}, followed by more", {entry[when]: raw + b"\0"}
    yield "the proof for the attestation", {manifest["ka"]: read(manifest["ka_proof"])}
    for member in ("client_status", "key_storage_status"):
        changed = json.loads(json.dumps(manifest))
        changed["unit"][member]["idx"] += 1
        yield f"the entry beside the unit's {member}", {"manifest.json": json.dumps(changed).encode()}


def sabotage_check(folder):
    whole = attempt(folder)
    demand(whole is None, f"the unbroken artefacts do not verify: {whole}")
    manifest = json.loads((folder / "manifest.json").read_text())
    tried, missed = 0, []
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy)
        for what, files in sabotages(folder, manifest):
            if all((folder / name).read_bytes() == raw for name, raw in files.items()):
                continue  # a list that the revocation did not touch
            for name, raw in files.items():
                (copy / name).write_bytes(raw)
            tried += 1
            if attempt(copy) is None:
                missed.append(what)
            for name in files:
                shutil.copyfile(folder / name, copy / name)
    for what in missed:
        print(f"not noticed: {what}")
    print(f"sabotage: {tried - len(missed)} of {tried} noticed")
    return not missed and tried > 0


def main(arguments):
    sabotage = arguments[:1] == ["--sabotage-check"]
    rest = arguments[1:] if sabotage else arguments
    if len(rest) != 1 or rest[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(rest[0])
    if sabotage:
        try:
            return 0 if sabotage_check(folder) else 1
        except Mismatch as mismatch:
            print(f"MISMATCH: {mismatch}")
            return 1
    mismatch = attempt(folder)
    if mismatch is not None:
        print(f"MISMATCH: {mismatch}")
        return 1
    for line in verify(folder):
        print(f"ok: {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
