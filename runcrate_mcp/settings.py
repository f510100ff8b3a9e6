"""Settings of the server: limits, directories and approval."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runcrate_core import ConfigurationError, SpendLimits


@dataclass(frozen=True)
class ServerSettings:
    """Settings of a server.

    Args:
        limits: Spending limits; without them every tool only reads.
        ledger_file: File of the ledger, which outlives the server; in memory by default.
        include: Names of the tools to serve, with or without `runcrate_`; all by default.
        files_dir: Directory of downloaded artifacts and generated media; no files without it.
        allow_commands: Serve the tools that run commands on instances that were started here.
        require_approval: A person approves every call that costs money or removes something.

    Raises:
        ConfigurationError: Something needs limits, and there are none; or `files_dir` is a file.
    """

    limits: SpendLimits | None = None
    ledger_file: Path | None = None
    include: frozenset[str] | None = None
    files_dir: Path | None = None
    allow_commands: bool = False
    require_approval: bool = True

    def __post_init__(self) -> None:
        if self.files_dir is not None and self.files_dir.is_file():
            raise ConfigurationError(
                f"`{self.files_dir}` is a file, not a directory. Nothing was started."
            )
        if self.limits is not None:
            return
        for flag, given in (
            ("--yes", not self.require_approval),
            ("--allow-commands", self.allow_commands),
        ):
            if given:
                raise ConfigurationError(
                    f"`{flag}` needs spending limits: give at least --max-total-usd. Nothing was "
                    "started."
                )
