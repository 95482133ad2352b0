"""The keys that sign heads: the store's own key, and Ed25519 keys in files, with the extra `signing`."""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from signalbox.store.chain.heads import CheckingKey, SigningKey
from signalbox.store.errors import StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MISSING_EXTRA = "Ed25519 keys need the extra `signing`: pip install 'signalbox[signing]'"


class BadKey(StoreError):
    """A key file cannot be used: the message says why."""


class StoreKey:
    """Signs with a key derived from the store's own one (HMAC-SHA256).

    The key is beside the log, so its signatures reveal accidents, but not changes by somebody who can read the key.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"signalbox heads 1", "sha256")
        self.key_id = f"store:{sha256(self._key).hexdigest()[:16]}"

    def sign(self, text: bytes) -> str:
        """Return the signature of a text."""
        return hmac.digest(self._key, text, "sha256").hex()

    def confirms(self, text: bytes, signature: str) -> bool:
        """Return whether this is a signature of the text with this key."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode(errors="replace"))


class PublicKey:
    """Checks Ed25519 signatures (RFC 8032)."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.key_id = f"ed25519:{sha256(key.public_bytes_raw()).hexdigest()[:16]}"

    def confirms(self, text: bytes, signature: str) -> bool:
        """Return whether this is a signature of the text with this key."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(bytes.fromhex(signature), text)
        except (InvalidSignature, ValueError):
            return False
        return True


class PrivateKey(PublicKey):
    """Signs with Ed25519."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        super().__init__(key.public_key())
        self._private = key

    def sign(self, text: bytes) -> str:
        """Return the signature of a text."""
        return self._private.sign(text).hex()


def create_key(path: Path) -> PrivateKey:
    """Write a new private key to the new file `path`, which only its owner can read, and its public key to `path`.pub.

    Raises BadKey if a file exists, or without the extra.
    """
    try:
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise BadKey(MISSING_EXTRA) from None
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    for file, content, mode in ((path, private, 0o600), (public_path(path), public, 0o644)):
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
                opened.write(content)
        except FileExistsError:
            raise BadKey(f"there is a file {file} already: name another one") from None
        except OSError as error:
            raise BadKey(f"cannot write {file}: {error.strerror or error}") from None
    return PrivateKey(key)


def public_path(path: Path) -> Path:
    """Return the path of the public key that belongs to a private key."""
    return Path(f"{path}.pub")


def signing_key(path: Path) -> SigningKey:
    """Read a private key. Raises BadKey."""
    text = _content(path)
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise BadKey(MISSING_EXTRA) from None
    try:
        key = load_pem_private_key(text, None)
    except (ValueError, TypeError) as error:
        raise BadKey(f"{path} is not a private key in PEM without a password: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path} must be an Ed25519 key: make one with `signalbox heads new-key FILE`")
    return PrivateKey(key)


def checking_key(path: Path) -> CheckingKey:
    """Read a public key, or a private key, which can check too. Raises BadKey."""
    text = _content(path)
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise BadKey(MISSING_EXTRA) from None
    if b"PRIVATE KEY" in text:
        found = signing_key(path)
        assert isinstance(found, PublicKey)
        return found
    try:
        key = load_pem_public_key(text)
    except (ValueError, TypeError) as error:
        raise BadKey(f"{path} is not a public key in PEM: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{path} must be an Ed25519 key")
    return PublicKey(key)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadKey(f"cannot read the key {path}: {error.strerror or error}") from None
