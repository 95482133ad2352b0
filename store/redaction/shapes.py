"""Hides secrets with a known shape: private keys, tokens of known services, passwords in addresses.

Every expression runs in linear time: its repetitions are possessive, and it cannot start in the middle of a run of the
same characters.
"""

from __future__ import annotations

import base64
import re

HIDDEN = "[redacted]"

_KNOWN = "|".join(
    (
        r"gh[pousr]_[A-Za-z0-9]{8,}+",
        r"github_pat_\w{8,}+",
        r"gl(?:pat|dt|rt|ptt|soat|cbt|ft)-[\w-]{8,}+",
        r"[srp]k_(?:live|test)_\w{8,}+",
        r"xox[a-z]-[\w-]{8,}+",
        r"xapp-[\w-]{8,}+",
        r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{12,}+",
        r"AIza[\w-]{20,}+",
        r"ya29\.[\w-]{8,}+",
        r"sb[xs]_[\w-]{8,}+",
        r"hv[sbr]\.[\w-]{16,}+",
        r"dckr_(?:pat|oat)_[\w-]{8,}+",
        r"do[opr]_v1_[0-9a-f]{16,}+",
        r"sh(?:pat|pca|ppa|pss)_[0-9a-fA-F]{16,}+",
        r"SG\.[\w-]{8,}+\.[\w-]{8,}+",
        r"AGE-SECRET-KEY-1[0-9A-Z]{16,}+",
        r"(?:lin_api|whsec|rubygems|dapi|glsa|nfp|figd|phc|phx|pat)_[A-Za-z0-9]{20,}+",
    )
)
_KNOWN_TOKEN = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_KNOWN})")

_LIKELY_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:sk-|npm_|pypi-|hf_|gsk_|r8_|eyJ)(?=[\w-]{0,200}[0-9A-Z])[\w-]{16,}+(?:\.[\w-]{2,}+){0,2}"
)
"""Prefixes that ordinary names have too, such as npm_lifecycle_event. The rest must have a digit or a capital."""

_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{4,}+\.[\w-]{2,}+(?:\.[\w-]*+)?")

_BEARER = re.compile(r"(?i)(?<!\w)(bearer[ \t]{1,4})(?=[^\s\"',;]{0,200}[0-9_.=~+])([\w.~+/=-]{6,}+)")
_BASIC = re.compile(r"(?i)(?<!\w)(basic[ \t]{1,4})([A-Za-z0-9+/_-]{4,}+={0,2})")

_USER_INFO = re.compile(r"(?<=://)([^\s:/@\"'<>]{0,200}+):([^\s\"'<>/@]{0,500}(?:@[^\s\"'<>/@]{0,500}(?=@))?)(?=@)")
_LONE_USER = re.compile(r"(?<=://)(?=[\w-]{0,200}\d)[A-Za-z0-9_-]{16,200}+(?=@)")

_CURL_USER = re.compile(r"((?<!\S)(?:-u|--user|--proxy-user|-U)[ =]?[\"']?(?!\d+:\d)[^\s:\"'@/]{1,100}+:)[^\s\"']++")
_SSHPASS = re.compile(r"(\bsshpass[ \t]{1,4}-p[ \t]{0,4})(?:\"[^\"\n]*+\"|'[^'\n]*+'|\S++)")
_NETRC = re.compile(r"(\blogin\s{1,4}\S{1,200}\s{1,4}password\s{1,4})\S++")
_QUOTED_WORD = re.compile(
    r"(?i)(\b(?:password|passphrase|identified[ ]by)[ \t]{1,4})('[^'\n]{1,500}+'|\"[^\"\n]{1,500}+\")"
)
_NPM_AUTH = re.compile(r"((?<![A-Za-z0-9])_auth[\"']?\s{0,4}[=:]\s{0,4}[\"']?)[^\s\"',;]++")

_SIGNED_URL = re.compile(r"([?&]sig=)[^\s&\"']++")

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|Private-MAC: ?[0-9a-f]*")

HINTS = (
    *("@", "eyJ", "PRIVATE KEY", "PuTTY", "bearer", "basic", "-u", "password", "passphrase", "sshpass", "identified"),
    *("_auth", "sig=", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "glptt-"),
    *("glsoat-", "glcbt-", "glft-", "k_live_", "k_test_", "xox", "xapp-", "AKIA", "ASIA", "ABIA", "ACCA", "AIza"),
    *("ya29.", "sbx_", "sbs_", "hvs.", "hvb.", "hvr.", "dckr_", "doo_v1_", "dop_v1_", "dor_v1_", "shpat_", "shpca_"),
    *("shppa_", "shpss_", "SG.", "AGE-SECRET-KEY", "lin_api_", "whsec_", "rubygems_", "dapi_", "glsa_", "nfp_"),
    *("figd_", "phc_", "phx_", "pat_", "sk-", "npm_", "pypi-", "hf_", "gsk_", "r8_"),
)
"""Every text that `hidden` may change contains one of these, ignoring case."""


def hidden(text: str) -> str:
    """Return `text` with the secrets of these shapes hidden."""
    text = _without_keys(text)
    text = _KNOWN_TOKEN.sub(HIDDEN, text)
    text = _JWT.sub(HIDDEN, text)
    text = _LIKELY_TOKEN.sub(HIDDEN, text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    text = _BASIC.sub(_if_credentials, text)
    if "@" in text:
        text = _USER_INFO.sub(rf"\1:{HIDDEN}", text)
        text = _LONE_USER.sub(HIDDEN, text)
    for pattern in (_CURL_USER, _SSHPASS, _NETRC, _QUOTED_WORD, _NPM_AUTH, _SIGNED_URL):
        text = pattern.sub(_hide_after, text)
    return text


def _hide_after(found: re.Match[str]) -> str:
    return found[1] + HIDDEN


def _if_credentials(found: re.Match[str]) -> str:
    """Hide the text after "basic" only if it is base64 of name:password; "basic understanding" stays."""
    try:
        decoded = base64.urlsafe_b64decode(found[2].rstrip("=").replace("+", "-").replace("/", "_") + "==")
    except ValueError:
        return found[0]
    return _hide_after(found) if b":" in decoded and decoded.isascii() else found[0]


def _without_keys(text: str) -> str:
    """Hide private keys in PEM and PuTTY form. A key without its end line extends to the end of the text."""
    if "PRIVATE KEY" not in text and "PuTTY" not in text:
        return text
    kept, at = [], 0
    while begins := _KEY_BEGINS.search(text, at):
        kept += [text[at : begins.start()], HIDDEN]
        ends = _KEY_ENDS.search(text, begins.end())
        at = ends.end() if ends else len(text)
    return "".join([*kept, text[at:]])
