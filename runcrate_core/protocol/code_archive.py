"""Selection of the files of a code directory that are sent to a job.

A directory of code often holds what must not leave this computer: keys, tokens, a `.env`. What
looks like one is excluded and reported, so that nothing is sent, or missing, unnoticed.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The API takes archives of at most so many bytes (official SDK 0.5.0: 1 GB); more files than that
# are not worth packing.
MAX_CODE_BYTES: Final = 1024**3

# Never code: version control, installed packages, caches.
SKIPPED_DIRECTORIES: Final = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "__pycache__",
        "node_modules",
        ".cache",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
    }
)
# Directories of programs that keep their logins in them.
SECRET_DIRECTORIES: Final = frozenset(
    {
        ".aws",
        ".azure",
        ".claude",
        ".codex",
        ".composer",
        ".config",
        ".cursor",
        ".databricks",
        ".docker",
        ".envs",
        ".fly",
        ".gcloud",
        ".gem",
        ".gnupg",
        ".huggingface",
        ".jupyter",
        ".kaggle",
        ".kube",
        ".m2",
        ".modal",
        ".netlify",
        ".ngrok2",
        ".oci",
        ".password-store",
        ".pip",
        ".runcrate",
        ".secrets",
        ".snowflake",
        ".ssh",
        ".terraform",
        "secrets",
        "terraform.tfstate.d",
    }
)
SECRET_NAMES: Final = (
    ".env*",
    "*.env",
    ".dev.vars*",
    ".flaskenv",
    ".renviron",
    "*.pem",
    "*.pem.*",
    "*.key",
    "*.key.*",
    "*.p8",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.keychain",
    "*.keychain-db",
    "*.ppk",
    "*.kdb",
    "*.kdbx",
    "*.gpg",
    "*.pgp",
    "*.asc",
    "*.ovpn",
    "wg[0-9]*.conf",
    "*.tfstate*",
    "*.tfvars*",
    ".terraformrc",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*_rsa",
    "*_ed25519",
    "deploy_key*",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    "pip.conf",
    "pip.ini",
    ".condarc",
    ".pgpass",
    "pgpass.conf",
    ".my.cnf",
    "my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    "kubeconfig",
    "kubeconfig.*",
    "*.kubeconfig",
    ".vault-token",
    ".vault_pass*",
    "vault_pass*",
    "*credentials",
    "*credentials.*",
    "*credentials*.json",
    "*accesskeys*.csv",
    "rootkey.csv",
    ".s3cfg",
    ".boto*",
    "*rclone.conf",
    "ngrok.yml",
    ".sentryclirc",
    ".databrickscfg",
    ".modal.toml",
    ".mcp.json",
    "kaggle.json",
    "auth.json",
    "token",
    "token.json",
    "token.pickle",
    "token.txt",
    "*_token",
    "*_token.txt",
    "*-token.txt",
    "client_secret*.json",
    "*firebase-adminsdk*.json",
    "*service?account*.json",
    "*serviceaccount*.json",
    "*-key.json",
    "*_key.json",
    "secret.*",
    "secrets.*",
    ".secret*",
    "*.secret",
    "*.secret.*",
    "secring.*",
    "*private?key*",
    "*api_key",
    "*api?key*.txt",
    "*api?key*.json",
    "*apikey*.txt",
    "*apikey*.json",
    "*_key.txt",
    "password.*",
    "passwords.*",
    "cookies.txt",
    "cookies.json",
    "cookies.sqlite",
    "wallet.dat",
    ".mnemonic",
    "local.settings.json",
    ".*_history",
    "*_history.sqlite",
    ".rediscli_auth",
)
# They match one of the above and hold no secret by their very purpose.
HARMLESS_NAMES: Final = (
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "id_*.pub",
)
# So many of the largest files are named when a directory is too large.
_NAMED_FILES: Final = 3
_MEBIBYTE: Final = 1024**2


class Kind(Enum):
    """The kind of a directory entry."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something found in a directory.

    Attributes:
        path: Path below the directory, with `/` between its parts.
        kind: What it is.
        size: Length of a file in bytes.
        is_executable: Whether its owner may run it.
    """

    path: str
    kind: Kind = Kind.FILE
    size: int = 0
    is_executable: bool = False


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file or directory that was not packed.

    Attributes:
        path: Path below the directory, with `/` between its parts.
        reason: Why, as half a sentence.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The caller's choice of files.

    Attributes:
        include: Patterns of what is packed although it looks like a secret.
        exclude: Patterns of what is left out.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def below(self, directory: str) -> Choice:
        """Return the same choice with absolute paths of a directory made relative to it."""
        prefix = directory.rstrip("/") + "/"

        def relative(pattern: str) -> str:
            return pattern.removeprefix(prefix) if pattern.startswith(prefix) else pattern

        return Choice(tuple(map(relative, self.include)), tuple(map(relative, self.exclude)))

    def unmatched(self, files: Iterable[Entry], skipped: Iterable[SkippedFile]) -> tuple[str, ...]:
        """Return the patterns that matched none of these."""
        paths = [*(file.path for file in files), *(file.path for file in skipped)]
        return tuple(
            pattern
            for pattern in (*self.include, *self.exclude)
            if not any(pattern_matches(pattern, path) for path in paths)
        )

    def reason_to_skip(self, entry: Entry) -> str | None:
        """Return why an entry is not packed, as half a sentence; `None` when it is.

        Patterns (`*.csv`, `data/*`) are compared with the path and with the last part of it.
        """
        if entry.kind is Kind.LINK:
            return "it is a link, which may lead out of the directory"
        if entry.kind is Kind.OTHER:
            return "it is not a regular file"
        if _matches(entry.path, self.exclude):
            return "it is excluded"
        if _matches(entry.path, self.include):
            return None
        if entry.kind is Kind.DIRECTORY:
            return _reason_to_skip_directory(entry.path)
        name = PurePosixPath(entry.path).name.lower()
        if _is_one_of(name, SECRET_NAMES) and not _is_one_of(name, HARMLESS_NAMES):
            return "it looks like a secret"
        return None


def require_packable(files: Sequence[Entry]) -> None:
    """Refuse a directory whose files are none or too many bytes, before any of them is read.

    Raises:
        ValueError: They are; the largest are named.
    """
    if not files:
        raise ValueError(
            "The directory has no file to pack: it is empty, or all of it is skipped. Nothing was "
            "sent. Check the path, `exclude` and `include`."
        )
    total = sum(file.size for file in files)
    if total <= MAX_CODE_BYTES:
        return
    largest = sorted(files, key=lambda file: file.size, reverse=True)[:_NAMED_FILES]
    named = ", ".join(f"{file.path} ({file.size // _MEBIBYTE} MiB)" for file in largest)
    raise ValueError(
        f"The directory has {total // _MEBIBYTE} MiB in {len(files)} files, and "
        f"the maximum is {MAX_CODE_BYTES // _MEBIBYTE} MiB. The largest are {named}. Leave out "
        "what is not code with `exclude`, and put data on a volume. Nothing was packed or sent."
    )


def in_archive_order(files: Iterable[Entry]) -> list[Entry]:
    """Return files in the order they are packed in, so that the same make the same archive."""
    return sorted(files, key=lambda file: file.path.split("/"))


def _reason_to_skip_directory(path: str) -> str | None:
    name = PurePosixPath(path).name.lower()
    if name in SKIPPED_DIRECTORIES:
        return "it is not code"
    return "it looks like a directory of secrets" if name in SECRET_DIRECTORIES else None


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(pattern_matches(pattern, path) for pattern in patterns)


def pattern_matches(pattern: str, path: str) -> bool:
    """Return whether a pattern names a path below the directory, or the last part of it.

    `data`, `./data`, `/data`, `data/` and `data/**` are the same. A name with brackets is meant as
    it is, too.
    """
    meant = pattern.strip().removeprefix("./").lstrip("/").removeprefix("**/")
    meant = meant.removesuffix("/**").removesuffix("/*").rstrip("/")
    name = PurePosixPath(path).name
    candidates = {meant, pattern}
    return any(
        text == candidate or fnmatch.fnmatchcase(text, candidate)
        for text in (path, name)
        for candidate in candidates
        if candidate
    )


def _is_one_of(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
