"""Which tools to call next: the steps of a request, replayed against what was done already.

The plan is made anew for every answer from the conversation alone, so it needs no memory and an
agent's loop always comes to an end: a step that has been done is never done again.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from runcrate_emulator.simulation import arithmetic
from runcrate_emulator.simulation.arguments import Arguments, Gap
from runcrate_emulator.simulation.clauses import Clause, clauses
from runcrate_emulator.simulation.conversation import Tool
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.offers import CHANGING, Offer
from runcrate_emulator.simulation.outcomes import Outcome, Turn, same_call
from runcrate_emulator.simulation.providing import provider, providing
from runcrate_emulator.simulation.records import Record, fields_about, rows
from runcrate_emulator.simulation.repetition import counted
from runcrate_emulator.simulation.small_talk import is_social
from runcrate_emulator.simulation.steps import Plan, PlannedCall, Step, Undone, too_sweeping
from runcrate_emulator.simulation.tool_choice import Choice
from runcrate_emulator.simulation.waiting import still_waiting
from runcrate_emulator.simulation.words import stem, stem_set

_MOST_TRIES: Final = 2
"""Times that a failing call is tried with corrected arguments, the first time included."""
_MOST_POLLS: Final = 10
"""Times that a state is asked for while a request says to wait for it."""


class _Pending(Exception):  # noqa: N818 - not an error: later steps wait for the pending ones
    """Ends the walk over the steps."""


def plan(turn: Turn, tools: Sequence[Tool], base: Evidence) -> Plan:
    """Work out what to call next.

    Args:
        turn: The request and what was done for it.
        tools: What may be called.
        base: Where arguments may come from besides the request and its results.
    """
    walk = _Walk(turn, Choice.among(tools), base)
    with suppress(_Pending):
        walk.through(clauses(turn.request, walk.choice.verbs, walk.choice.products))
    return walk.plan


def forced_call(turn: Turn, tools: Sequence[Tool], base: Evidence) -> PlannedCall:
    """The call to make when one must be made and no step calls for any.

    A tool that was not called yet goes first: when all work is done, it is the one that takes the
    answer.
    """
    choice = Choice.among(tools)
    called = {outcome.call.name for outcome in turn.outcomes}
    whole = Clause(turn.request, None, follows=False, points_back=False)
    best = max(
        enumerate(choice.offers),
        key=lambda one: (one[1].tool.name not in called, choice.score(whole, one[1]), -one[0]),
    )[1]
    walk = _Walk(turn, choice, base)
    return PlannedCall(best.tool.name, walk.arguments(whole, turn.outcomes).sets(best)[0])


class _Walk:
    def __init__(self, turn: Turn, choice: Choice, base: Evidence) -> None:
        self.choice = choice
        self.plan = Plan()
        self._turn = turn
        self._left = list(turn.outcomes)
        self._base = base
        self._before = ""
        self._things: frozenset[str] = frozenset()

    def through(self, steps: Sequence[Clause]) -> None:
        for clause in steps:
            if not clause.forbidden:
                self._take(clause)
            self._before += f" {clause.text}"
        if not self.plan.calls and not self.plan.steps:
            self._as_a_whole()
        whole = Clause(self._turn.request, None, follows=False, points_back=False)
        if self._left and not self.plan.steps:
            self.plan.reports.clear()
        self.plan.steps[:0] = [Step(whole, (outcome,)) for outcome in self._left]

    def _take(self, clause: Clause) -> None:
        if self._take_arithmetic(clause):
            return
        if (refused := too_sweeping(clause, self.choice)) is not None:
            self.plan.undone.append(refused)
            return
        arguments = self.arguments(clause)
        known = self.arguments(clause, loose=False)
        offer = self.choice.best(clause, self._before, known.lacking, self._things)
        if clause.action == "report" and (offer is None or self._tells_itself(clause)):
            self.plan.reports.append(clause)
            return
        if offer is None:
            self._leave(clause)
            return
        if offer.action in {"create", None}:
            clause = counted(clause, offer, self.choice.nouns([offer.tool.name]))
            arguments = self.arguments(clause)
        self._await(offer, clause)
        for one in self.choice.companions(clause, offer):
            self._call(clause, one, arguments)
        if offer.action in {"create", None}:
            self._things |= self.choice.nouns([offer.tool.name])

    def _leave(self, clause: Clause) -> None:
        """Keep a step that no tool fits: it is answered in words, or was not done."""
        if clause.action in {"read", None}:
            self.plan.reports.append(clause)
        elif clause.action in CHANGING or clause.action == "wait":
            self.plan.undone.append(Undone(clause, "No tool here does this."))

    def _await(self, consumer: Offer, clause: Clause) -> None:
        """First wait for what an earlier step began, if its tool says so, before it is used.

        To see how far it is needs no waiting.
        """
        if consumer.action == "wait" or not consumer.handled & self._things:
            return
        if stem("status") in consumer.description_stems | stem_set(clause.text):
            return
        called = {outcome.call.name for step in self.plan.steps for outcome in step.outcomes}
        for name in sorted(called):
            waiting = self.choice.followed_by(name)
            if waiting is not None and waiting.tool.name not in called:
                until = Clause("wait for it", "wait", follows=True, points_back=True)
                self._call(until, waiting, self.arguments(until))

    def _tells_itself(self, clause: Clause) -> bool:
        """Whether a clause such as `tell me its price` asks for what earlier steps bring anyway."""
        if clause.points_back and (self.plan.steps or self.plan.calls):
            return True
        asked = stem_set(clause.text)
        return any(
            fields_about(asked, row)
            for step in self.plan.steps
            for outcome in step.outcomes
            for row in outcome.rows(clause.text)
        )

    def _as_a_whole(self) -> None:
        """The request in one piece, when none of its steps calls for a tool by itself."""
        request = self._turn.request
        offer = self.choice.named(request)
        if offer is None and not is_social(request) and _asks(self.plan.reports, request):
            offer = self.choice.retriever(request)
        if offer is not None:
            self.plan.reports.clear()
            whole = Clause(request, None, follows=False, points_back=False)
            self._call(whole, offer, self.arguments(whole))

    def _call(self, clause: Clause, offer: Offer, arguments: Arguments) -> None:
        gaps = self.arguments(clause, loose=False).gaps(offer)
        if self.plan.calls and (clause.follows or clause.points_back or gaps):
            raise _Pending
        if gaps:
            self._look_up(gaps, clause, offer)
            arguments = self.arguments(clause)
            if (self.plan.steps or offer.acts) and arguments.lacks_handle(offer):
                missing = " and ".join(gap.slot.phrase for gap in gaps)
                self.plan.undone.append(Undone(clause, f"No result tells the {missing}."))
                return
            if self.plan.steps and len(self.plan.steps[-1].outcomes) > 1:
                arguments = replace(arguments, of_each=True)
        wanted = arguments.sets(offer)
        found = [self._done(clause, offer, one, alone=len(wanted) == 1) for one in wanted]
        done = [outcome for outcome in found if outcome is not None]
        if done:
            self.plan.steps.append(Step(clause, tuple(done)))
        for one, outcome in zip(wanted, found, strict=True):
            if outcome is None:
                self.plan.calls.append(PlannedCall(offer.tool.name, one))
        if self.plan.calls and clause.action == "wait":
            raise _Pending

    def _look_up(self, gaps: Sequence[Gap], clause: Clause, consumer: Offer) -> None:
        """First call the tools that yield what a call needs."""
        for gap in gaps:
            if (source := provider(self.choice, gap, consumer)) is not None:
                arguments = self.arguments(clause, carries=consumer.acts, loose=False)
                self._call(providing(gap), source, arguments)
                if self.plan.calls:
                    raise _Pending

    def _done(
        self, clause: Clause, offer: Offer, wanted: Mapping[str, Any], *, alone: bool
    ) -> Outcome | None:
        """The outcome of a call for this step, or `None` if it must (still) be made."""
        mine = [one for one in self._left if one.call.name == offer.tool.name]
        exact = [one for one in mine if same_call(one.call.arguments, wanted)]
        exact = exact if alone or clause.action == "wait" else exact[:1]
        if clause.action == "wait" and offer.action != "wait":
            return self._polled(clause, exact)
        if not exact and not alone:
            return None
        candidates = exact or mine
        if not candidates:
            again = [one for one in self._turn.outcomes if one.call.name == offer.tool.name]
            return next((o for o in again if same_call(o.call.arguments, wanted)), None)
        for tries, outcome in enumerate(candidates, start=1):
            self._left.remove(outcome)
            if not outcome.failed:
                return outcome
            fresh = not any(same_call(one.call.arguments, wanted) for one in candidates)
            if fresh and outcome is candidates[-1] and tries < _MOST_TRIES:
                return None
        return candidates[-1]

    def _polled(self, clause: Clause, outcomes: Sequence[Outcome]) -> Outcome | None:
        for outcome in outcomes:
            self._left.remove(outcome)
        if not outcomes or (
            still_waiting(clause.text, outcomes[-1]) and len(outcomes) < _MOST_POLLS
        ):
            return None
        return outcomes[-1]

    def arguments(
        self,
        clause: Clause,
        done: Sequence[Outcome] = (),
        *,
        carries: bool = False,
        loose: bool = True,
    ) -> Arguments:
        """Where the arguments of a clause's call come from.

        Args:
            clause: The step.
            done: Outcomes that belong to no step.
            carries: Whether optional parameters take over what earlier results say.
            loose: Whether outcomes count that no step has claimed yet.
        """
        unclaimed = [one for one in (*self._left, *done) if loose and not one.failed]
        steps = [Step(clause, tuple(unclaimed)), *self.plan.steps]
        found: list[Record] = []
        last = ""
        for step in reversed(steps):
            for outcome in step.outcomes:
                if not outcome.failed and not outcome.hands_over:
                    found += outcome.rows(f"{step.clause.text} {clause.text}")
                    found.append(outcome.call.arguments)
                    last = last or outcome.text
        for outcome in reversed(self._turn.earlier):
            if not outcome.failed:
                found += [*outcome.rows(clause.text), outcome.call.arguments]
        base = replace(
            self._base,
            request=self._turn.request.replace(clause.text, clause.of_one),
            records=tuple(found),
            last_result=last,
            carries=carries,
        )
        latest = self.plan.steps[-1].outcomes if self.plan.steps else ()
        listed = tuple(row for outcome in latest for row in rows(outcome.text))
        return Arguments(clause.of_one, base, listed, clause.times)

    # Arithmetic

    def _take_arithmetic(self, clause: Clause) -> bool:
        """Do a clause's sums with tools for single operations; whether it was one."""
        number = None if self.plan.calls else self._last_number()
        said = clause.text if number is None else arithmetic.with_result(clause.text, number)
        found = arithmetic.expressions(said)
        every = [one for expression in found for one in arithmetic.operations(expression.operation)]
        offers = {one.sign: self._operator(one.sign) for one in every}
        if not every or None in offers.values():
            return self._waits_for_number(clause)
        if self.plan.calls and (clause.follows or clause.points_back):
            raise _Pending
        for operation in every:
            offer = offers[operation.sign]
            if offer is not None:
                self._operate(clause, offer, operation)
        return True

    def _waits_for_number(self, clause: Clause) -> bool:
        if self.plan.calls and clause.points_back and clause.action in {"compute", "create"}:
            raise _Pending
        return False

    def _operate(self, clause: Clause, offer: Offer, operation: arithmetic.Operation) -> None:
        inner = [
            one for one in (operation.left, operation.right) if not isinstance(one, (int, float))
        ]
        if inner and self.plan.calls:
            raise _Pending
        try:
            sides = [
                one.value if isinstance(one, arithmetic.Operation) else one
                for one in (operation.left, operation.right)
            ]
        except ArithmeticError:
            return
        names = [slot.name for slot in offer.numeric_slots]
        wanted = dict(zip(names, sides, strict=False))
        outcome = self._done(clause, offer, wanted, alone=False)
        if outcome is None:
            self.plan.calls.append(PlannedCall(offer.tool.name, wanted))
        else:
            self._add_to_step(clause, outcome)

    def _add_to_step(self, clause: Clause, outcome: Outcome) -> None:
        """Keep the operations of one expression together as one step."""
        last = self.plan.steps[-1] if self.plan.steps else None
        if last is not None and last.clause is clause:
            self.plan.steps[-1] = Step(clause, (*last.outcomes, outcome))
        else:
            self.plan.steps.append(Step(clause, (outcome,)))

    def _operator(self, sign: str) -> Offer | None:
        return next(
            (
                offer
                for offer in self.choice.offers
                if offer.operates(sign) and len(offer.numeric_slots) > 1
            ),
            None,
        )

    def _last_number(self) -> float | None:
        for step in reversed(self.plan.steps):
            for outcome in reversed(step.outcomes):
                if outcome.number is not None:
                    return outcome.number
        return None


def _asks(reports: Sequence[Clause], request: str) -> bool:
    return "?" in request or any(clause.action in {"read", "report"} for clause in reports)
