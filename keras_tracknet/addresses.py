"""Addresses without passwords, safe to show."""

from __future__ import annotations

import re

MASK = "***"
# A path that was made of an address has one slash.
ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]+:/{1,2}\S+", re.IGNORECASE)
# What stands before the last @ of the host: a user and a password, or a token alone.
USER = re.compile(r"(:/{1,2})([^/?#:]*)(:[^/?#]*)?@")
# A password with a slash in it, which ought to be written %2F: no port begins like that.
BROKEN_USER = re.compile(r"(:/{1,2})([^/?#:@]*):(?!\d*(?:[/?#]|$)).*@")
SECRET = re.compile(
    r"([?&;#/_][\w.-]*(?:pass|pwd|secret|token|key|sig|auth|cred|session|jwt)[\w.-]*=)"
    r"[^&;#'\"]*?(?=[:,.)]*(?:[&;#'\"]|$))",
    re.IGNORECASE,
)


def mask_addresses(text: str) -> str:
    """Mask the passwords of addresses in a text.

    Args:
        text: an address, or a message with some in it.

    Returns:
        The text, with `***` for passwords and tokens before the host, and for the values of
        parameters that are called like one.

    Example:
        >>> mask_addresses("rtsp://admin:12345@camera/stream: broke off")
        'rtsp://admin:***@camera/stream: broke off'
    """
    return ADDRESS.sub(lambda found: _mask(found[0]), text) if ":/" in text else text


def _mask(address: str) -> str:
    masked = USER.sub(_mask_user, address, count=1)
    if masked == address:
        masked = BROKEN_USER.sub(rf"\1\2:{MASK}@", address, count=1)
    return SECRET.sub(rf"\1{MASK}", masked)


def _mask_user(found: re.Match[str]) -> str:
    slashes, user, password = found.groups()
    return f"{slashes}{MASK}@" if password is None else f"{slashes}{user}:{MASK}@"
