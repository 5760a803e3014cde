"""The console script: picks the verb, owns the exit codes, and lets no traceback out.

Only the verb that was asked for is imported: building all of them costs more than reading most headers.
"""

import gc
import os
import sys
import traceback
from importlib import import_module
from typing import NamedTuple, NoReturn

import typer

import ckptinspect
from ckptinspect.cli.lane import LeanCommand
from ckptinspect.cli.output import PipeClosedError
from ckptinspect.errors import CkptInspectError
from ckptinspect.text import escaped, quoted


class Verb(NamedTuple):
    """A command: its function is ``run`` in ``ckptinspect.cli.NAME``."""

    name: str
    summary: str


VERBS = (
    Verb("show", "Show what is in a checkpoint: modules, dtypes, parameters, bytes."),
    Verb("tensors", "List every tensor: name, shape, dtype, bytes, offsets, file."),
    Verb("tree", "Draw the module tree, repeated layers folded."),
    Verb("formula", "Derive the closed form of the parameter count."),
    Verb("snapshot", "Keep the headers, config and index in one small file."),
    Verb("dtypes", "Explain the number formats."),
)
_NAMES = frozenset(verb.name for verb in VERBS)
_DEFAULT = "show"
_OWN_OPTIONS = frozenset({"--help", "-h", "--version", "--install-completion", "--show-completion"})

USAGE, SOURCE, FORMAT, PARTIAL, UNAVAILABLE, BUG, INTERRUPTED = 2, 3, 4, 5, 69, 70, 130
_EXIT_CODES = {"usage": USAGE, "source": SOURCE, "format": FORMAT, "unavailable": UNAVAILABLE, "engine": UNAVAILABLE}
_CONTEXT = {"help_option_names": ["-h", "--help"]}
_SUMMARY = "What is in a safetensors checkpoint, from its headers alone: on disk or on the Hugging Face Hub."
_EPILOG = (
    "REF is a file, a folder, an index, a snapshot, org/name[@revision] on the Hub, a Hub page, or any fsspec URL. "
    "No verb means show. Exit codes: 0 fine, 1 the answer is no, 2 usage, 3 source, 4 format, 5 partial, "
    "69 unavailable, 70 our bug, 130 interrupted."
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    # A short process that builds much and drops little has nothing for the cyclic collector to find.
    gc.disable()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """The exit code of a command line; whatever it has to say is on stdout and stderr."""
    debug = "--debug" in arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _dispatched(arguments)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except PipeClosedError:
        _drop_stdout()
        return 0
    except CkptInspectError as error:
        if debug:
            traceback.print_exc()
        return _say(str(error), _EXIT_CODES.get(error.kind, BUG))
    except Exception as error:  # noqa: BLE001 - the last boundary: nothing may leave as a traceback
        if (usage := _usage_message(error)) is not None:
            return _say(_meant(arguments) or usage, USAGE)
        if debug:
            traceback.print_exc()
        what = f"a bug of ckptinspect: {type(error).__name__}: {error}"
        return _say(f"{what}; run it again with --debug and report what it prints", BUG)


def _dispatched(arguments: list[str]) -> int:
    completing = "_CKPTINSPECT_COMPLETE" in os.environ
    arguments = arguments or ["--help"]
    if completing or arguments[0] in _OWN_OPTIONS:
        command, program = typer.main.get_command(_whole()), "ckptinspect"
    else:
        verb = arguments.pop(0) if arguments[0] in _NAMES else _DEFAULT
        command, program = typer.main.get_command(_single(verb)), f"ckptinspect {verb}"
    result = command.main(arguments, prog_name=program, standalone_mode=False)
    if result == INTERRUPTED:
        # What typer makes of an interrupt, without a word.
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _whole() -> typer.Typer:
    """All verbs, for help and for shell completion."""
    app = typer.Typer(
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=_CONTEXT,
        epilog=_EPILOG,
        help=_SUMMARY,
    )
    app.callback()(_callback)
    for verb in VERBS:
        _added(app, verb)
    return app


def _single(name: str) -> typer.Typer:
    """One verb alone: what stands between the user and the answer."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    _added(app, next(verb for verb in VERBS if verb.name == name))
    return app


def _added(app: typer.Typer, verb: Verb) -> None:
    module = import_module(f"ckptinspect.cli.{verb.name}")
    command = app.command(
        verb.name, cls=LeanCommand, short_help=verb.summary, epilog=_epilog(module.EXAMPLES), context_settings=_CONTEXT
    )
    command(module.run)


def _epilog(examples: tuple[str, ...]) -> str:
    # "\b" keeps the lines of a paragraph as they are.
    return "\n".join(("\b", "Examples:", *(f"  {example}" for example in examples)))


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ckptinspect {ckptinspect.__version__}\n")
        raise typer.Exit


def _callback(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options of the program itself."""


def _usage_message(error: Exception) -> str | None:
    """The sentence of a usage error, of typer's or click's; None for any other exception."""
    if isinstance(error, typer.Abort):
        return "stopped"
    if not hasattr(error, "exit_code") or not hasattr(error, "format_message"):
        return None
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "ckptinspect")
    message = str(error.format_message()).rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; see {path} --help"


def _meant(arguments: list[str]) -> str | None:
    """What to say where more than one REF was given: the first may be a verb misspelt."""
    plain = [argument for argument in arguments if not argument.startswith("-")]
    if len(plain) < 2 or plain[0] in _NAMES or os.path.lexists(plain[0]):
        return None
    from difflib import get_close_matches

    near = get_close_matches(plain[0], sorted(_NAMES), 1)
    return f"{quoted(plain[0])} is no verb; did you mean {near[0]}?" if near else None


def _say(sentence: str, code: int) -> int:
    sys.stderr.write(f"error: {escaped(sentence)}\n")
    return code


def _drop_stdout() -> None:
    """Let the interpreter's own last flush go nowhere: the reader of the pipe has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
