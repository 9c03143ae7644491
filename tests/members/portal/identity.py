"""An identity provider of this machine, honest until a test asks it to misbehave."""

import hashlib
import json
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "entsvc", "un-secret"


@cache
def key(number):
    """Return a private key, made once for all tests; the provider publishes the first only."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Provider:
    """What the provider says, and what was asked of it."""

    url: str = ""
    claims: dict = field(default_factory=dict)
    identity: dict = field(default_factory=dict)  # takes the place of what an identity would say
    info: dict = field(default_factory=dict)  # the same, for the information about somebody
    signing_key: int = 0
    plain_info: bool = False
    broken: bool = False
    nonce: str = ""
    challenge: str = ""
    asked: list = field(default_factory=list)

    def sign(self, payload):
        """Return a signed answer, without what is None."""
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, key(self.signing_key), algorithm="RS256", headers={"kid": "k1"})

    def token(self, form):
        """Answer the exchange of a code."""
        verifier = form.get("code_verifier", [""])[0]
        digest = hashlib.sha256(verifier.encode()).digest()
        if urlsafe_b64encode(digest).decode().rstrip("=") != self.challenge:
            return 400, {"error": "invalid_grant"}
        if form["client_secret"] != [SECRET]:
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        identity = {
            "iss": self.url, "aud": CLIENT, "sub": "u1", "nonce": self.nonce,
            "iat": now, "exp": now + 60, **self.identity,
        }  # fmt: skip
        return 200, {"access_token": "acces", "id_token": self.sign(identity), "token_type": "Bearer"}

    def userinfo(self):
        """Return what is said of somebody."""
        return {"iss": self.url, "aud": CLIENT, "sub": "u1", **self.claims, **self.info}

    def keys(self):
        """Return the published key."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key(0).public_key()))
        return {"keys": [{**public, "kid": "k1", "alg": "RS256", "use": "sig"}]}

    def serve(self):
        """Start to answer; return the server, to be stopped."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, code, content, kind="application/json"):
                body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                provider.asked.append(form)
                if provider.broken:
                    self.answer(500, "en panne", "text/plain")
                else:
                    self.answer(*provider.token(form))

            def do_GET(self):
                if urlsplit(self.path).path == "/jwks":
                    self.answer(200, provider.keys())
                elif provider.plain_info:
                    self.answer(200, provider.userinfo())
                else:
                    self.answer(200, provider.sign(provider.userinfo()), "application/jwt")

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return server
