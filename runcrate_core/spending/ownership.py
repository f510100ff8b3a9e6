"""Ownership: the resources that a guard may terminate or change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runcrate_core.errors import ResponseFormatError, SpendRefusedError
from runcrate_core.protocol.reconcile import same

if TYPE_CHECKING:
    from runcrate_core.api.instances import Instance
    from runcrate_core.api.job_types import Job
    from runcrate_core.spending.ledger import SpendLedger
    from runcrate_core.spending.limits import SpendLimits


@dataclass(frozen=True)
class Ownership:
    """Decides which resources a guard may terminate: by default those that its ledger holds.

    A name proves nothing: other people and other programs may use the same prefix.

    Attributes:
        ledger: The ledger.
        limits: The limits, for the prefix.
        by_prefix: Whatever has the prefix of the limits counts as its own too.
        anything: Every resource may be terminated.
    """

    ledger: SpendLedger
    limits: SpendLimits
    by_prefix: bool = False
    anything: bool = False

    def require(
        self,
        resource: Instance | Job,
        identifier: str,
        action: str,
        expected_name: str | None = None,
    ) -> None:
        """Refuse to act on a resource that is not the guard's own, or not the one that is meant.

        Args:
            resource: The resource, as the API has just shown it.
            identifier: The identifier that was given for it.
            action: The verb of the message (`terminated`).
            expected_name: The name that it must have, if any.

        Raises:
            ResponseFormatError: The API returned another resource.
            SpendRefusedError: It may not be acted on.
        """
        if identifier not in {resource.id, resource.name}:
            raise ResponseFormatError(
                f"The API returned another resource ({resource.id!r}) than {identifier!r}, so "
                f"nothing was {action}. Try again, or check the dashboard."
            )
        entries = self.ledger.entries
        is_own = any(entry.id == resource.id for entry in entries) or (
            self.by_prefix and self.limits.owns(resource.name)
        )
        if not (is_own or self.anything):
            raise SpendRefusedError(
                f"{resource.id!r} is not one of those that were started here (the ledger does not "
                f"hold it), so it was not {action}. Ask the user."
            )
        if not same(expected_name, resource.name):
            raise SpendRefusedError(
                f"{resource.id!r} has another name than {expected_name!r}, so it was not {action}. "
                "List the instances and check the identifier."
            )
