"""The commands of `mob` and their options. What they do is imported when they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from actors.cli.failures import DONE, FAILED, INTERRUPTED, USAGE, one_line, tell, tell_plainly

EXIT_CODES: Final = """\b
Exit codes:
  0    done
  1    failed: the job, or a start that was refused (a state directory in use)
  2    usage: an option, a path or the mob file is wrong; nothing was started
  130  interrupted; drained first, and running it again resumes
"""
RUN_EPILOG: Final = f"""{EXIT_CODES}
\b
The first Ctrl-C (or SIGTERM) ends the run in good order, the second one at once.
--json prints its document when the job has ended, done or failed; messages and
progress go to standard error.
"""
DOCTOR_EPILOG: Final = """\b
Exit codes:
  0    nothing fails
  1    something fails; the line below it says what to do
  2    usage: PATH does not exist
"""
KEYS_EPILOG: Final = """\b
Exit codes:
  0    done
  1    failed: a file exists already, or is not safe to use; nothing was changed
  2    usage: there is no such key, or the name cannot name one
"""

app = typer.Typer(
    name="mob",
    add_completion=False,
    # Plain help: half the time to start, and the same in a pipe as on a terminal.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys = typer.Typer(
    name="keys",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(keys, name="keys", short_help="Make and show the keys of this user's nodes.")


class Durability(StrEnum):
    """What an accepted input survives."""

    FULL = "full"
    NORMAL = "normal"
    MEMORY = "memory"


Debug = Annotated[
    bool, typer.Option("--debug", help="Show tracebacks and warnings (or set MOB_DEBUG=1).")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else to stdout.")
]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the node that has the key.")]
KeyDirectory = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="Where the keys are; $XDG_CONFIG_HOME/mob/keys or ~/.config/mob/keys by default.",
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        from actors import __version__

        typer.echo(f"mob-actors {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def mob(
    ctx: typer.Context,
    debug: Debug = False,  # noqa: ARG001 - see `_debugging`
    version: Annotated[  # noqa: ARG001 - its callback ends the command
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Run mobs: teams of actors with a declared shape and a durable ledger."""
    if ctx.invoked_subcommand is None:
        sys.stderr.write(f"{ctx.get_help()}\n")
        raise typer.Exit(USAGE)


@app.command(epilog=RUN_EPILOG, short_help="Start a mob, do a job, drain, end.")
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The mob file (TOML).")],
    given: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="PATH",
            help="What the orchestrator works on; the current directory by default.",
        ),
    ] = None,
    json: AsJson = False,
    chaos: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            help="Make members fail after they have sent some of their messages. "
            "The result is the same.",
        ),
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where ledger and results are; .mob/<id> here by default."
        ),
    ] = None,
    durability: Annotated[
        Durability | None,
        typer.Option(
            help="What an accepted input survives: power loss (full), the end of the process "
            "(normal), neither (memory). By default as the mob file says, else full."
        ),
    ] = None,
    debug: Debug = False,
) -> int:
    """Start a mob, give its orchestrator the input, print the result, drain, end.

    A run that was killed or interrupted is in the ledger: run it again, and it resumes.
    """
    from actors.cli.job import JobOptions, run_job

    options = JobOptions(
        file=file,
        given=given,
        json=json,
        chaos=chaos,
        state_dir=state_dir,
        durability=None if durability is None else durability.value,
        debug=debug or _debugging(()),
    )
    return _printed(lambda: run_job(options))


@app.command(epilog=DOCTOR_EPILOG, short_help="Check the installation, the keys and a ledger.")
def doctor(
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Verify this store: a state directory or its ledger file. Its mob may run.",
        ),
    ] = None,
    stacks: Annotated[
        bool,
        typer.Option(
            "--stacks",
            help="Print what every actor of a running mob is doing, and whom it waits for; "
            "--store names its state directory.",
        ),
    ] = False,
    json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 - see `_debugging`
) -> int:
    """Check the installation, the keys, and a ledger: no gap, every hash in its chain.

    Without --store the state directories in .mob here are verified, if there are any.
    --stacks looks at a mob that runs instead, and stops nothing.
    """
    if stacks:
        from actors.cli.stack_dump import ask_for_stacks

        text = ask_for_stacks(store)

        def write() -> int:
            sys.stdout.write(text)
            return DONE

        return _printed(write)
    from actors.cli.doctor import examine, print_checks, print_document

    checks = examine(store)
    failed = any(check.status == "fail" for check in checks)

    def show() -> int:
        (print_document if json else print_checks)(checks)
        return FAILED if failed else DONE

    return _printed(show)


@keys.callback(invoke_without_command=True, epilog=KEYS_EPILOG)
def keys_group(ctx: typer.Context) -> None:
    """Make and show the keys by which nodes know each other.

    A secret key stays in its file (mode 0600) and is never printed.
    """
    if ctx.invoked_subcommand is None:
        sys.stderr.write(f"{ctx.get_help()}\n")
        raise typer.Exit(USAGE)


@keys.command("new", epilog=KEYS_EPILOG, short_help="Make a key pair.")
def keys_new(
    name: KeyName,
    directory: KeyDirectory = None,
    debug: Debug = False,  # noqa: ARG001 - see `_debugging`
) -> int:
    """Make a key pair; existing files are never overwritten."""
    from actors.cli.keys import new_key

    return _printed(lambda: new_key(name, directory))


@keys.command("list", epilog=KEYS_EPILOG, short_help="List the keys that are here.")
def keys_list(
    directory: KeyDirectory = None,
    json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 - see `_debugging`
) -> int:
    """List the keys that are here, and what is wrong with their files."""
    from actors.cli.keys import list_keys

    return _printed(lambda: list_keys(directory, as_json=json))


@keys.command("show", epilog=KEYS_EPILOG, short_help="Show the public half of a key.")
def keys_show(
    name: KeyName,
    directory: KeyDirectory = None,
    json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 - see `_debugging`
) -> int:
    """Show the public half of a key, and the line that lets its holder in elsewhere."""
    from actors.cli.keys import show_key

    return _printed(lambda: show_key(name, directory, as_json=json))


def command_line(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name (default: those of this process).

    Returns:
        The exit code; whatever was to be said about an error has been said.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    debug = _debugging(given)
    try:
        code = app(args=given, prog_name="mob", standalone_mode=False)
        return code if isinstance(code, int) else DONE
    except typer.Abort:  # what typer makes of Ctrl-C while nobody handles signals
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the end of every error: a line, a hint, a code
        if isinstance(error, _COMMAND_LINE_PROBLEM):
            return _misused(error)
        return tell(error, debug=debug)


# The base of what typer raises about a command line: click's class, or typer's copy of it.
_COMMAND_LINE_PROBLEM: Final = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def _misused(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    command = "mob" if context is None else context.command_path
    say = getattr(error, "format_message", error.__str__)
    tell_plainly(one_line(say()), f"'{command} --help' shows how it is used")
    return USAGE


def _debugging(arguments: Sequence[str]) -> bool:
    """Read from the arguments as they are, so that it holds for errors in them too."""
    return "--debug" in arguments or os.environ.get("MOB_DEBUG", "") not in ("", "0")


def _printed(show: Callable[[], int]) -> int:
    """Do what prints to standard output, to the last byte; a reader that leaves ends it quietly.

    Caught here, because typer would make exit code 1 of it. The work itself is done by then.
    """
    try:
        code = show()
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader has what it wanted
        _drop_output()
        return DONE
    except OSError:
        _drop_output()
        raise


def _drop_output() -> None:
    """Send what is still buffered nowhere, or the interpreter complains when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
