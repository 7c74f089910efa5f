"""Keys and passwords are found in every form in which they appear."""

import base64
import json
import random
import string

import pytest

from nip.utils.secret_formats import FORMATS
from nip.utils.secrets import find_secret, scrub, scrub_code, scrub_tree


def word(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    """Draw a secret, the same in each run; put together here because runs store differences."""
    draws = random.Random(f"{length} {letters}")
    return "".join(draws.choice(letters) for _ in range(length - 1)) + letters[-1]


UPPER = string.ascii_uppercase + "234567"
HEX = "abcdef0123456789"
DASHED = string.ascii_letters + string.digits


def part_of_jwt(**content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


JWT = f"{part_of_jwt(alg='HS256', typ='JWT')}.{part_of_jwt(sub='1234567890')}.{word(43)}"
PEM = "\n".join([*(word(64) for _ in range(3)), word(30)])

SECRETS: dict[str, tuple[str, str]] = {
    "AWS Access Key": (f"AKIA{word(16, UPPER)}", ""),
    "Artifactory Credentials": (f"AKCp{word(69)}", ""),
    "Azure Storage Account access key": (word(86) + "==", "AccountKey={}"),
    "Basic Auth Credentials": (word(9), "https://me:{}@example.org/v1"),
    "Token in an address": (word(24), "https://{}@github.com/me/mine.git"),
    "Discord Bot Token": (f"M{word(23)}.{word(6)}.{word(27)}", ""),
    "GitHub Token": (f"ghp_{word(36)}", ""),
    "GitHub Token, fine-grained": (f"github_pat_{word(22)}_{word(59)}", ""),
    "GitHub Token of an app": (f"ghs_{word(36)}", ""),
    "GitLab Token": (f"glpat-{word(20)}", ""),
    "Google API Key": (f"AIza{word(35)}", ""),
    "Google OAuth token": (f"ya29.{word(60)}", ""),
    "Google OAuth secret": (f"GOCSPX-{word(28)}", ""),
    "Hugging Face Token": (f"hf_{word(34, string.ascii_letters)}", ""),
    "JSON Web Token": (JWT, ""),
    "Mailchimp Access Key": (f"{word(32, HEX)}-us12", ""),
    "NPM token": (f"npm_{word(36)}", ""),
    "OpenAI Token": (f"sk-{word(48)}", ""),
    "OpenAI Token of a project": (f"sk-proj-{word(20)}_{word(30)}-{word(20)}", ""),
    "Anthropic": (f"sk-ant-api03-{word(40)}-{word(52)}AA", ""),
    "OpenRouter": (f"sk-or-v1-{word(64, HEX)}", ""),
    "Groq": (f"gsk_{word(52)}", ""),
    "xAI": (f"xai-{word(80)}", ""),
    "PyPI Token": (f"pypi-AgEIcHlwaS5vcmc{word(80)}", ""),
    "SendGrid API Key": (f"SG.{word(22)}.{word(43)}", ""),
    "Slack Token": (f"xoxb-{word(12, string.digits)}-{word(12, string.digits)}-{word(24)}", ""),
    "Slack Token of an app": (
        f"xapp-1-A{word(10, UPPER)}-{word(13, string.digits)}-{word(40)}",
        "",
    ),
    "Slack Webhook": (
        f"T{word(9, UPPER)}/B{word(9, UPPER)}/{word(24)}",
        "https://hooks.slack.com/services/{}",
    ),
    "Square OAuth Secret": (f"sq0csp-{word(43)}", ""),
    "Stripe Access Key": (f"sk_live_{word(24)}", ""),
    "Telegram Bot Token": (f"{word(10, '123456789')}:{word(35)}", ""),
    "Twilio API Key": (f"SK{word(32, HEX)}", ""),
    "Authorization header": (word(30), "Authorization: Bearer {}"),
    "Authorization header in JSON": (word(30), '{{"Authorization": "Basic {}"}}'),
    "api_key in an address": (word(12), "https://example.org/v1?api_key={}&n=3"),
    "key in an address": (word(12), "https://example.org/v1?n=3&key={}#top"),
    "token in an address": (word(12), "https://example.org/v1?access_token={}"),
    "signature in an address": (word(64, HEX), "https://s3/x?X-Amz-Signature={}"),
    "Secret Keyword": (word(12), 'password = "{}"'),
    "Secret Keyword in JSON": (word(12), '{{"client_secret": "{}"}}'),
    "Secret Keyword in Python": (word(12), "Client(api_key='{}')"),
    "Secret without quotes, in a file of variables": (word(20), "MY_API_KEY={}"),
    "Secret without quotes, in a shell": (word(40, HEX), "export WANDB_API_KEY={}"),
    "Secret without quotes, in YAML": (word(32, HEX), "# api_key: {}"),
    "Secret without quotes, in a header": (word(32, HEX), "X-Api-Key: {}"),
    "Secret of AWS": (f"{word(20)}/{word(19)}", "AWS_SECRET_ACCESS_KEY={}"),
    "Token without quotes": (word(30), "READ_TOKEN={}"),
    "Option with a secret": (word(30), "--api-key {}"),
    "Option with a token": (word(30), "--token={}"),
    "Header with a token": (word(40, HEX), "Authorization: token {}"),
    "token after # in an address": (word(12), "https://example.org/v1#access_token={}"),
    "Anthropic with many dashes": (f"sk-ant-api03-{'aB3-eF6_' * 11}AbcdeAA", ""),
    "Together": (f"tgp_v1_{word(43)}", ""),
    "Replicate": (f"r8_{word(37)}", ""),
    "Perplexity": (f"pplx-{word(48)}", ""),
    "NVIDIA": (f"nvapi-{word(64)}", ""),
    "Cerebras": (f"csk-{word(48)}", ""),
    "Databricks Token": (f"dapi{word(32, HEX)}", ""),
    "Docker Token": (f"dckr_pat_{word(27)}", ""),
    "Vault Token": (f"hvs.{word(90)}", ""),
    "Age Secret Key": (f"AGE-SECRET-KEY-1{word(58, UPPER)}", ""),
    "Private Key": (PEM, "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----"),
    "Private Key, cut off": (PEM, "-----BEGIN OPENSSH PRIVATE KEY-----\n{}"),
    "Private Key in JSON": (
        PEM.replace("\n", "\\n"),
        '"private_key": "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n"',
    ),
    "Private Key in a difference": (
        PEM.replace("\n", "\n+"),
        "+-----BEGIN EC PRIVATE KEY-----\n+{}\n+-----END EC PRIVATE KEY-----",
    ),
}
"""A secret of each kind, and the text around it."""


@pytest.mark.parametrize(("secret", "around"), SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("place", ["{}", "x = '{}'\n", "+    call({})\n", "name={}, other=1"])
def test_nothing_is_left_of_a_secret(secret: str, around: str, place: str) -> None:
    text = place.format((around or "{}").format(secret))
    assert find_secret(text) is not None
    for scrubbed in (scrub_code(text), scrub(text), scrub_tree({"a": [text]})["a"][0]):
        assert "[key removed]" in scrubbed
        for line in secret.replace("\\n", "\n").splitlines():
            pieces = [line[start : start + 8] for start in range(0, max(len(line) - 7, 1), 8)]
            assert not any(len(piece) == 8 and piece in scrubbed for piece in pieces), scrubbed


def test_every_format_is_tried() -> None:
    texts = [(around or "{}").format(secret) for secret, around in SECRETS.values()]
    assert [name for name, form in FORMATS.items() if not any(map(form.search, texts))] == []


@pytest.mark.parametrize(
    "text",
    [
        "gpt-4o-mini-2024-07-18",
        "ft:gpt-4o-mini-2024-07-18:my-org::AbCdEf12",
        "anthropic/claude-sonnet-4.5",
        "models/qwen-2.5-0.5b-instruct",
        "http://localhost:8000/v1",
        "https://example.org/v1?api-version=2024-10-21&deployment=mine",
        "ssh://git@github.com/me/mine.git",
        "OPENAI_API_KEY",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "task-based risk-averse sk-learn-experiment-of-a-day-with-a-long-name",
        'address = f"https://{user}:{password}@{host}/v1?api_key={key}"',
        "curl -H 'Authorization: Bearer $OPENAI_API_KEY' https://$USER:$PASSWORD@example.org",
        'api_key = os.environ["OPENAI_API_KEY"]',
        'agents._default.api_key_variable = "GITHUB_TOKEN"',
        "The basic communication of a bearer",
        "api_key: str | None = None",
        "api_key=key_of_the_2nd_service, secret=draw_number2(), token=tokens[12345678]",
        "password = read_from_file2.strip()",
        "eos_token=END12 max_tokens=123456789012 key=sort3 MAX_TOKENS=123456789012",
        "pad_token: PAD-TOKEN-0123456789",
        "python scripts/run_analysers.py my_run --api-key-variable MY_KEY_2026_A",
        "run gi_nip_ppo-20261018-123456 of 123e4567-e89b-12d3-a456-426614174000",
        "r8_of_the_second_table fw_forward_and_backward nvapi-is-no-key",
        "-----BEGIN PUBLIC KEY-----",
        'if text.startswith("-----BEGIN PRIVATE KEY-----"):',
        "2026-10-18 12:34:56 seed=12345678",
        "prover0:verifier",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert find_secret(text) is None
    assert scrub_code(text) == text


def test_an_entry_named_like_a_key_is_one_whatever_it_looks_like() -> None:
    assert find_secret({"user": "me", "nested": [{"api_key": "zebra"}]}) == "api_key"
    assert find_secret({"Authorization": "zebra"}) == "Authorization"
    assert find_secret({"max_output_tokens": "12", "reasoning": {"effort": "low"}}) is None


def test_a_key_is_found_as_it_is_written_in_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "p+ss/w=rd &12345")
    assert scrub_code("?x=p%2Bss%2Fw%3Drd%20%2612345") == "?x=[key removed]"
    assert scrub_code("?x=p%2Bss%2Fw%3Drd+%2612345") == "?x=[key removed]"


def test_a_variable_that_says_where_a_key_is_holds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN_PATH", "/home/somebody/data")
    monkeypatch.setenv("PASSWORD_STORE_DIR", "/home/somebody")
    assert find_secret("/home/somebody/data/cv") is None
    assert scrub("no file /home/somebody/data/cv") == "no file /home/somebody/data/cv"


def test_the_value_of_a_key_variable_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "zebra-crossing-at-midnight")
    monkeypatch.setenv("SORT_KEY", "accuracy")
    assert find_secret("with zebra-crossing-at-midnight") == "the value of an environment variable"
    assert find_secret("accuracy") is None
