"""`mob run`: launch a mob, give its orchestrator the input, wait, drain, tell.

A run that was killed goes on by itself: what it had accepted is in the ledger. So this looks
first whether the input is there already, and waits for that one instead of sending a second.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.cli.chaos import Chaos
from actors.cli.display import Display, make_display
from actors.cli.document import write_document
from actors.cli.failures import (
    DONE,
    INTERRUPTED,
    JobFailed,
    UsageProblem,
    one_line,
    tell,
    tell_plainly,
)
from actors.cli.foreground import Foreground, Interrupted
from actors.cli.outcome import Outcome
from actors.cli.stack_dump import StackDump
from actors.cli.summary import print_summary
from actors.domain.events import MemberHeld
from actors.domain.tables import printable
from actors.launching import read_definition
from actors.mob import Mob

if TYPE_CHECKING:
    from actors.domain.definition import Durability, MobDefinition
    from actors.domain.reports import MemberView, TurnResult

LOOK_S: Final = 3600.0  # one wait for the result; it is repeated until the turn has ended


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What `mob run` was told."""

    file: Path
    given: Path | None
    json: bool = False
    chaos: int | None = None
    state_dir: Path | None = None
    durability: Durability | None = None
    debug: bool = False


def run_job(options: JobOptions) -> int:
    """Do the job; returns the exit code.

    Raises:
        UsageProblem, DefinitionError: nothing was started.
        MobError: the mob could not start.
    """
    text = _input_text(options.given)
    definition = read_definition(options.file).definition
    lead = orchestrator(definition)
    _set_up_logging(debug=options.debug)
    _calm_collector()
    chaos = None if options.chaos is None else Chaos(options.chaos, spared=frozenset({lead}))
    stdout = sys.stdout
    display = make_display(definition.id, lead, to_stderr=options.json)
    # With --json nothing but the document may reach standard output, whatever members print.
    with redirect_stdout(sys.stderr if options.json else stdout):
        try:
            outcome = _Run(options, text, lead, chaos, display).carry_out()
        finally:
            display.close()
    if outcome is None:
        return INTERRUPTED
    if options.json:
        write_document(outcome, stdout.write)
    elif outcome.error is None:
        print_summary(outcome)
    stdout.flush()
    return DONE if outcome.error is None else tell(outcome.error, debug=options.debug)


def orchestrator(definition: MobDefinition) -> str:
    """Who gets the input: the first member of the orchestrator's profile, else the first one.

    Raises:
        UsageProblem: there is no member at all.
    """
    wanted = definition.wiring.orchestrator
    of_profile = [member.name for member in definition.members if member.profile == wanted]
    names = of_profile or [member.name for member in definition.members]
    if not names:
        raise UsageProblem(
            f"mob {definition.id!r} has no members, so nobody can take the input",
            "declare one: [[members]] with name and profile",
        )
    return names[0]


def _input_text(given: Path | None) -> str:
    """The input as an absolute path.

    Raises:
        UsageProblem: there is nothing at this path, or its name is not text.
    """
    path = os.path.abspath(os.curdir if given is None else given)
    if not os.path.exists(path):
        raise UsageProblem(
            f"there is no file or directory {one_line(path)}", "name an existing path with --input"
        )
    if printable(path) != path:
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageProblem(
                f"the path {one_line(path)} is not UTF-8 text", "rename it, or name a link to it"
            ) from error
    return path


class _Run:
    """One run from launch to drain."""

    def __init__(
        self, options: JobOptions, text: str, lead: str, chaos: Chaos | None, display: Display
    ) -> None:
        self._options = options
        self._text = text
        self._lead = lead
        self._chaos = chaos
        self._display = display

    def carry_out(self) -> Outcome | None:
        """The outcome; None if the run was interrupted (and drained)."""
        began = time.monotonic()
        with Foreground(self._on_signal) as foreground, ExitStack() as dump:
            mob = foreground.run(self._launch, leave=False)
            result: TurnResult | None = None
            failure: Exception | None = None
            try:
                dump.enter_context(StackDump(mob.stacks, mob.state_dir))
                self._display.watch(mob)
                try:
                    result = foreground.run(lambda: self._work(mob), leave=True)
                except Interrupted:
                    foreground.run(lambda: mob.shutdown(interrupt=True), leave=False)
                    self._display.close()
                    self._say_interrupted(mob)
                    return None
                except Exception as error:  # noqa: BLE001 - it is told when the mob has drained
                    failure = error
                members = tuple(mob.members())
                self._name_held(mob, members)
                messages = mob.routed()
                ledger = mob.status().ledger
            finally:
                foreground.run(mob.shutdown, leave=False)
            output = None if result is None else result.value
            if isinstance(output, dict) and isinstance(output.get("error"), str):
                failure = JobFailed(output["error"])
            return Outcome(
                mob=mob.id,
                given=self._text,
                output=output,
                attachments={} if result is None else dict(result.attachments),
                members=members,
                messages=messages,
                ledger=ledger,
                events=mob.cursor,
                duration_s=time.monotonic() - began,
                audit=mob.audit(),
                error=failure,
            )

    def _launch(self) -> Mob:
        options = self._options
        return Mob.launch(
            options.file,
            state_dir=options.state_dir,
            durability=options.durability,
            after_send=self._chaos,
        )

    def _work(self, mob: Mob) -> TurnResult:
        """Send the input, or find it already accepted; wait until its turn has ended."""
        input_id = self._resumed(mob)
        if input_id is None:
            input_id = mob.send(self._lead, self._text).canonical_input_id
        while True:
            try:
                return mob.result(self._lead, input_id, timeout=LOOK_S)
            except TimeoutError:  # a turn of many hours; the profile's limit ends it, not this
                continue

    def _resumed(self, mob: Mob) -> str | None:
        """The id of this very input, if a former run was ended before it was done."""
        found: str | None = None
        for given in mob.unfinished(self._lead):
            body = given.body if isinstance(given.body, str) else type(given.body).__name__
            if given.body == self._text and found is None:
                found = given.input_id
                self._display.say(f"resuming the run that was interrupted: {one_line(body)}")
            elif found is None:
                self._display.say(f"finishing first what was interrupted: {one_line(body)}")
        return found

    def _name_held(self, mob: Mob, members: Sequence[MemberView]) -> None:
        """Say who cannot work any more, and why: the result may lack what they would have done."""
        held = {view.name for view in members if view.state == "held"}
        if not held:
            return
        reasons = {
            entry.event.identity: entry.event.reason
            for entry in mob.events(tag="member_held")
            if isinstance(entry.event, MemberHeld) and entry.event.identity in held
        }
        for name, reason in sorted(reasons.items()):
            self._display.say(f"{one_line(name)} is held: {one_line(reason)}")

    def _on_signal(self) -> None:
        self._display.say("interrupted: ending in good order; once more to end at once")

    def _say_interrupted(self, mob: Mob) -> None:
        if (self._options.durability or mob.definition.store.durability) == "memory":
            tell_plainly("interrupted", "the ledger was in memory, so the next run begins anew")
        else:
            tell_plainly(
                "interrupted; what is not finished stays open in the ledger", "run again to resume"
            )


def _calm_collector() -> None:
    """Let the collector of cycles look less often; this process is ours to tune.

    By default it looks after every 700 new objects, which costs a review of the standard library
    a quarter of its time: members make many objects, and next to none of them are cycles.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


class _ToStderr(logging.Handler):
    """Writes to what standard error is at the moment: a live table puts itself in between."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - whatever it is, it must not end who logged
            self.handleError(record)


def _set_up_logging(*, debug: bool) -> None:
    """Warnings of ours go to standard error in a debug run, and nowhere else."""
    handler: logging.Handler = logging.NullHandler()
    if debug:
        handler = _ToStderr(logging.WARNING)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for name in ("actors", "transport"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.propagate = False
