"""Takes credentials out of text, wherever in it a URL, a query or a header carries them.

It rather hides too much than too little: a log line that lost a word is a nuisance, a leaked password is not.
"""

import re

HIDDEN = "***"

# Userinfo may hold anything, `@` included; what stands before the last `@` of the authority is hidden.
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*://)([^\s/?#\"'<>]*@)", re.IGNORECASE)
# An unescaped `/`, `?` or `#` in a password pushes the `@` out of the authority. A plain `host:port` is let be, unless
# something like a host comes after the `@`: then its number is the beginning of a password.
_PORT = r"\d{1,5}[/?#][^\s\"'<>]*@[^\s@./:\"'<>]*[.,:;]?(?:[\s\"'<>]|$)"
_BROKEN_USERINFO = re.compile(
    rf"([a-z][a-z0-9+.-]*://)(?!\*\*\*@)(?=[^\s\"'<>]*@)([^\s\"'<>]*?:(?!{_PORT})[^\s\"'<>]*@)", re.IGNORECASE
)
# An address without its `rtsp://`, or with that misspelt: `user:password@` in a word that does not begin with a scheme.
# What an absolute path puts before it is kept.
_BARE_USERINFO = re.compile(
    rf"(?<![^\s\"'<>])(?![^\s\"'<>:@]*://)(?>((?:rtsps?|https?):?//?|(?:[^\s\"'<>:@]*[/=(,])?))[^\s\"'<>:]*"
    rf":(?!{_PORT})[^\s\"'<>]*@",
    re.IGNORECASE,
)
_NAMES = (
    r"(?:user(?:name)?|login|pass(?:word|wd|phrase)?|pwd|(?:access_?|auth_?|refresh_?|id_?)?token|api_?key|key|"
    r"(?:client_?)?secret|sig(?:nature)?|auth|credentials?)"
)
# Also in paths such as `/user=admin&password=x&channel=1`, which some cameras use.
_PARAMETER = re.compile(r"((?:^|(?<=[\s?&;/_\"'{,]))" + _NAMES + r"=)(?!\*\*\*)[^\s&;\"'<>#]+", re.IGNORECASE)
_HEADER = re.compile(r"((?:proxy-)?authorization\s*:\s*)[^\r\n]+", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` with user names, passwords, tokens and keys replaced by `***`; doing it twice changes nothing more."""
    text = _HEADER.sub(rf"\1{HIDDEN}", text)
    text = _BROKEN_USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _BARE_USERINFO.sub(rf"\1{HIDDEN}@", text)
    return _PARAMETER.sub(rf"\1{HIDDEN}", text)
