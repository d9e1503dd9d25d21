"""A development replacement for Better Auth: a signing key, and a loopback server that publishes it.

Only `evo-todo dev` starts the server. It issues no tokens; `evo-todo token` signs them with the key in the data folder.
"""

import json
import os
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from attrs import frozen
from joserfc import jws
from joserfc.jwk import OKPKey

from adapters.tokens.jws import ED25519
from domain.identity import Principal
from entrypoints.settings import Settings

LIFETIME: Final = 24 * 3600
"""Seconds until a development token expires, unless the settings allow less."""
PRIVATE: Final = 0o700
"""Mode of the folders that are created."""
KEY_FILE: Final = "issuer-key.json"
PATH: Final = "/api/auth/jwks"


def create_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents for their owner only, whatever the umask is; leave what exists."""
    if folder.is_dir():
        return
    create_private_folder(folder.parent)
    try:
        folder.mkdir(PRIVATE)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(PRIVATE)


@frozen
class DevIssuer:
    """An issuer with one Ed25519 key."""

    key: OKPKey

    @classmethod
    def in_folder(cls, folder: Path) -> "DevIssuer":
        """Load the issuer's key from the folder; if there is none, create one that only its owner can read."""
        create_private_folder(folder)
        path = folder / KEY_FILE
        if not path.exists():
            draft = folder / f".issuer-key.{secrets.token_hex(8)}"
            made = OKPKey.generate_key("Ed25519", {"kid": secrets.token_hex(8)}, private=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(made.as_dict(private=True), file)
            try:
                draft.rename(path) if os.name == "nt" else os.link(draft, path)  # of concurrent calls, the first wins
            except FileExistsError:
                pass
            finally:
                draft.unlink(missing_ok=True)
        return cls(OKPKey.import_key(json.loads(path.read_text())))

    @staticmethod
    def has_key(folder: Path) -> bool:
        """Whether the folder has a key."""
        return (folder / KEY_FILE).exists()

    def token(self, principal: Principal, settings: Settings) -> str:
        """Sign a token that the service accepts with these settings, in the form of Better Auth's tokens."""
        now = int(time.time())
        lifetime = int(min(LIFETIME, settings.max_token_lifetime))
        claims = {
            "iss": settings.issuer,
            "aud": settings.audience,
            "sub": principal.user_id,
            "iat": now,
            "exp": now + lifetime,
        }
        header = {"alg": "EdDSA", "kid": self.key.kid}
        return jws.serialize_compact(header, json.dumps(claims), self.key, registry=ED25519)

    def publish(self) -> str:
        """Serve the key set on a free loopback port until the process ends; return its URL."""
        keys = json.dumps({"keys": [{"alg": "EdDSA", **self.key.as_dict(private=False)}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_known = self.path == PATH
                self.send_response(200 if is_known else 404)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(keys if is_known else b"{}")

            def log_message(self, *_: object) -> None:
                """Log nothing: the terminal is for the service's log."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, name="development issuer", daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}{PATH}"
