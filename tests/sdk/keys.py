"""Who calls in these tests: the credentials the server is started with."""

from dataclasses import dataclass, replace

REGION = "local-1"


@dataclass(frozen=True)
class Key:
    """An access key, as its owner knows it."""

    access_key: str
    secret_key: str
    project_id: str
    domain_id: str
    security_token: str | None = None

    def with_secret(self, secret_key):
        return replace(self, secret_key=secret_key)

    def with_security_token(self, security_token):
        return replace(self, security_token=security_token)


PROJECT = "c0ffee00c0ffee00c0ffee00c0ffee00"
DOMAIN = "d0d0cafed0d0cafed0d0cafed0d0cafe"
OTHER_PROJECT = "0ddba110ddba110ddba110ddba110ddb"
OTHER_DOMAIN = "0dd0d0e70dd0d0e70dd0d0e70dd0d0e7"

SAMPLE = Key("FLOWGATELOCALKEY0001", "flowgate-local-secret-key-for-laptops-only", PROJECT, DOMAIN)
OTHER = Key("OTHERPROJECTKEY00001", "secret-of-the-other-project", OTHER_PROJECT, OTHER_DOMAIN)
EXPIRED = Key("EXPIREDKEY0000000001", "secret-of-the-expired-key", PROJECT, DOMAIN)
TEMPORARY = Key("TEMPORARYKEY00000001", "secret-of-the-temporary-key", PROJECT, DOMAIN, "token-of-the-temporary-key+/==")
LIMITED = Key("LIMITEDKEY0000000001", "secret-of-the-limited-key", PROJECT, DOMAIN)
POWERLESS = Key("POWERLESSKEY00000001", "secret-of-the-powerless-key", PROJECT, DOMAIN)

TOKEN = "MIIFsample-token-of-the-project"
OTHER_TOKEN = "MIIFsample-token-of-the-other-project"
EXPIRED_TOKEN = "MIIFsample-token-that-expired"


def unknown(name):
    """A key nobody has. Each test takes a name of its own, because refusals of one key get slower."""
    return Key(name, "a-secret-of-nobody", PROJECT, DOMAIN)


def credentials_file():
    """What FLOWGATE_CREDENTIALS_FILE holds."""

    def entry(key, **further):
        token = {} if key.security_token is None else {"security_token": key.security_token}
        return {
            "access_key": key.access_key,
            "secret_key": key.secret_key,
            "project_id": key.project_id,
            "domain_id": key.domain_id,
            **token,
            **further,
        }

    own = {"project_id": PROJECT, "domain_id": DOMAIN}
    return {
        "credentials": [
            entry(SAMPLE),
            entry(OTHER),
            entry(EXPIRED, expires_at="2020-01-01T00:00:00Z"),
            entry(TEMPORARY, expires_at="2099-01-01T00:00:00Z"),
            entry(LIMITED, workflows=["media-transcode"]),
            entry(POWERLESS, operations=[]),
        ],
        "tokens": [
            {"token": TOKEN, **own},
            {"token": OTHER_TOKEN, "project_id": OTHER_PROJECT, "domain_id": OTHER_DOMAIN},
            {"token": EXPIRED_TOKEN, **own, "expires_at": "2020-01-01T00:00:00Z"},
        ],
    }


def secrets():
    """Every text of the file that no log may show."""
    document = credentials_file()
    for entry in document["credentials"]:
        yield entry["secret_key"]
        yield from [entry["security_token"]] if "security_token" in entry else []
    for entry in document["tokens"]:
        yield entry["token"]
