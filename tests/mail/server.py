"""An SMTP server for one test, on a free port of loopback.

It tells on standard output, one JSON object a line: first its port (and the CA of
its certificate, where it speaks TLS), then each message that it took. It is told on
standard input, the same way, what to answer to the next commands of a kind:
{"rcpt": ["451 4.7.1 later"]}. It ends when standard input ends.
"""

import argparse
import asyncio
import datetime
import json
import ssl
import sys
import tempfile
import threading

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, implicit_tls):
        self.answers = {}
        self.implicit_tls = implicit_tls

    def answer(self, command):
        waiting = self.answers.get(command)
        return waiting.pop(0) if waiting else "250 OK"

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = self.answer("mail")
        if answer.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.answer("rcpt")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, server, session, envelope):
        answer = self.answer("data")
        if answer.startswith("2"):
            tell(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "data": envelope.original_content.decode("utf-8", "replace"),
                    "hello": session.host_name,
                    "tls": self.implicit_tls or session.ssl is not None,
                    "user": session.auth_data,
                }
            )
        return answer


def tell(what):
    print(json.dumps(what), flush=True)


def certificate():
    """A CA and a certificate for localhost that it signed: the context and the CA."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certify(subject, key, issuer, signer, extension):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(extension, critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(signer, hashes.SHA256())
        )

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = name("Test CA for mail")
    ca = certify(ca_name, ca_key, ca_name, ca_key, x509.BasicConstraints(True, None))
    leaf = certify(name("localhost"), key, ca_name, ca_key, x509.BasicConstraints(False, None))
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(secret + leaf.public_bytes(pem))
        file.flush()
        context.load_cert_chain(file.name)
    return context, ca.public_bytes(pem).decode()


async def serve(arguments):
    handler = Handler(arguments.tls == "implicit")
    loop = asyncio.get_running_loop()
    context, ca = certificate() if arguments.tls != "none" else (None, None)
    options = {"hostname": "mail.test", "enable_SMTPUTF8": False}
    if arguments.tls == "starttls":
        options.update(tls_context=context, require_starttls=True)
    if arguments.user:
        # The password in what is told would be one too many: the name is enough.
        def authenticate(server, session, envelope, mechanism, data):
            known = (arguments.user, arguments.password)
            good = (data.login.decode(), data.password.decode()) == known
            return AuthResult(success=good, handled=False, auth_data=data.login.decode())

        options.update(
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=arguments.tls == "starttls",
        )
    listening = await loop.create_server(
        lambda: SMTP(handler, loop=loop, **options),
        "127.0.0.1",
        0,
        ssl=context if arguments.tls == "implicit" else None,
    )
    tell({"port": listening.sockets[0].getsockname()[1], "ca": ca})
    ended = asyncio.Event()

    def listen():
        for line in sys.stdin:
            told = json.loads(line)
            loop.call_soon_threadsafe(handler.answers.update, told)
            # What was told holds from here on.
            loop.call_soon_threadsafe(tell, {"told": True})
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=listen, daemon=True).start()
    await ended.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--user")
    parser.add_argument("--password")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
