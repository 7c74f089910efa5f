"""Formats of keys, tokens and passwords, from the documentation of the services that issue them.

The names are those of the rules of ``detect-secrets``, where it has one. That package is not used
itself, because it reports the places that a person should look at: for GitHub's tokens, for
example, it returns the prefix alone, and for private keys the first line, which would leave the
secret in the text.
"""

import re

_NAME_OF_KEY = (
    r"(?:api[_-]?key|secret|passw(?:or)?d|(?:private|secret|access)[_-]?key"
    r"|(?:access|auth|api)[_-]?token)"
)
_NOT_FILLED_IN = r"(?![{$<%])"
"""Text that begins with one of these is the place of a secret in a template."""

_NO_WORD = r"(?=[A-Za-z+/=~-]*\d)(?=[\d+/=~-]*[A-Za-z])[A-Za-z0-9+/=~-]{12,}(?![\w.(\[])"
"""Unquoted text with letters and digits that is neither a name nor an expression of a program."""

_KEY_BEGINS = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_KEY_ENDS = r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"

_PATTERNS = {
    "AWS Access Key": r"\b(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}\b",
    "Artifactory Credentials": r"\bAKCp[A-Za-z0-9]{60,}",
    "Azure Storage Account access key": r"\bAccountKey=[A-Za-z0-9+/=]{40,}",
    "Basic Auth Credentials": (
        rf"(?<=://){_NOT_FILLED_IN}[^\s/@:'\"<>]*:{_NOT_FILLED_IN}[^\s/@'\"<>]+(?=@)"
    ),
    "Token in an address": rf"(?<=://){_NOT_FILLED_IN}[^\s/@:'\"<>]{{16,}}(?=@)",
    "Age Secret Key": r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}",
    "Databricks Token": r"\bdapi[0-9a-f]{32}\b",
    "Discord Bot Token": r"\b[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}",
    "Docker Token": r"\bdckr_[a-z]+_[\w-]{20,}",
    "GitHub Token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    "GitLab Token": r"\bgl[a-z]{2,6}-[A-Za-z0-9_-]{20,}",
    "Google API Key": r"\bAIza[0-9A-Za-z_-]{35}",
    "Google OAuth": r"\b(?:ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,})",
    "Hugging Face Token": r"\bhf_[A-Za-z0-9]{30,}\b",
    "JSON Web Token": r"\beyJ[\w-]{10,}(?:\.[\w-]*){2,4}",
    "Mailchimp Access Key": r"\b[0-9a-f]{32}-us[0-9]{1,2}\b",
    "Key of a service of language models": (
        r"\b(?:tgp_v1_|r8_|pplx-|nvapi-|csk-|fw_|wandb_v1_)(?=[A-Za-z_-]{0,60}\d)[\w-]{20,}"
    ),
    "NPM tokens": rf"\bnpm_[A-Za-z0-9]{{36}}\b|_authToken={_NOT_FILLED_IN}[^\s'\"]+",
    "OpenAI Token": (
        r"\bsk-(?:ant|proj|svcacct|admin)-[\w-]{40,}|"
        r"\b(?:sk|gsk|xai|pk|rk)[-_](?:[\w-]{0,60}[-_])?(?=[A-Za-z]{0,60}\d)[A-Za-z0-9]{20,}[\w-]*"
    ),
    "Private Key": rf"{_KEY_BEGINS}[\s\S]{{0,8000}}?{_KEY_ENDS}",
    "Beginning of a private key": (
        rf"{_KEY_BEGINS}(?:(?:\\[rn]|[\s+\-\"',]){{1,8}}[\w+/=]{{20,}})+"
    ),
    "PyPI Token": r"\bpypi-[A-Za-z0-9_-]{50,}",
    "SendGrid API Key": r"\bSG\.[\w-]{20,24}\.[\w-]{40,}",
    "Slack Token": r"\b(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,}",
    "Slack Webhook": r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]{10,}",
    "Square OAuth Secret": r"\bsq0[a-z]{3}-[0-9A-Za-z_-]{22,}",
    "Stripe Access Key": r"\b[rs]k_(?:live|test)_[0-9a-zA-Z]{16,}",
    "Telegram Bot Token": r"\b\d{8,10}:[0-9A-Za-z_-]{35}\b",
    "Twilio API Key": r"\b(?:AC|SK)[a-f0-9]{32}\b",
    "Vault Token": r"\bhv[sbr]\.[\w-]{24,}",
    "Authorization header": (
        r"\b(?i:bearer|basic|authorization['\"]?[:=]\s*['\"]?(?:token|api-?key))"
        r"\s+(?=[A-Za-z+/._~-]*[\d=])[A-Za-z0-9+/=._~-]{16,}"
    ),
    "Parameter of an address": (
        r"(?<=[?&;#])(?i:[\w.-]*(?:key|token|secret|passw(?:or)?d|pwd|signature|credential)|auth|sig)"
        rf"={_NOT_FILLED_IN}[^&\s'\"#<>]+"
    ),
    "Secret Keyword": (
        rf"\b(?i:[\w-]{{0,40}}{_NAME_OF_KEY})['\"]?\s*(?:=>|[:=]{{1,2}})\s*"
        rf"(?P<quote>['\"]){_NOT_FILLED_IN}[^'\"\s]{{8,}}(?P=quote)"
    ),
    "Secret without quotes": (
        rf"\b(?:(?i:[\w-]{{0,40}}{_NAME_OF_KEY})|[A-Z][A-Z0-9_]{{0,40}}_TOKEN)"
        rf"[ \t]*(?:=>|[:=]{{1,2}})[ \t]*{_NO_WORD}"
    ),
    "Option with a secret": (
        rf"(?<![\w-])--(?i:[\w-]{{0,40}}{_NAME_OF_KEY}|token)[ =](?!-){_NO_WORD}"
    ),
}

FORMATS = {name: re.compile(pattern) for name, pattern in _PATTERNS.items()}
"""Formats by their name."""

KEY_NAME = re.compile(rf"(?i).*(?:{_NAME_OF_KEY}|authorization|bearer)")
"""Names of entries whose values are keys."""
