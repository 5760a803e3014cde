"""The console script: picks the verb, owns the exit codes, and lets no traceback out.

Only the verb that was asked for is imported: building all of them costs more than reading most headers.
"""

import gc
import os
import sys
import traceback
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import typer

import ckptinspect
from ckptinspect.cli.lane import LeanCommand, OneTooManyError
from ckptinspect.cli.leaving import leave
from ckptinspect.cli.options import spelled_out
from ckptinspect.cli.output import PipeClosedError
from ckptinspect.errors import CkptInspectError, RefError
from ckptinspect.extensions import extension, names_of
from ckptinspect.text import SPELLED, escaped, quoted


class Verb(NamedTuple):
    """A command: its function is ``run`` in ``ckptinspect.cli.NAME``, with ``EXAMPLES`` beside it."""

    name: str
    summary: str


VERBS = (
    Verb("show", "Show what is in a checkpoint: modules, dtypes, parameters, bytes."),
    Verb("tensors", "List every tensor: name, shape, dtype, bytes, offsets, file."),
    Verb("tree", "Draw the module tree, repeated layers folded."),
    Verb("browse", "Walk through a checkpoint in the terminal."),
    Verb("formula", "Derive the closed form of the parameter count."),
    Verb("estimate", "Estimate memory and FLOPs to load, run and train it."),
    Verb("diff", "Tell what changed from one checkpoint to another."),
    Verb("bench", "Measure how fast it loads, beside what storage, memory and link could do."),
    Verb("snapshot", "Keep the headers, config and index in one small file."),
    Verb("audit", "Find what is wrong with checkpoints, by rule."),
    Verb("rule", "List the rules of the audit, or explain one."),
    Verb("cache", "Show or clear the headers that audits have kept."),
    Verb("dtypes", "Explain the number formats."),
)
_NAMES = frozenset(verb.name for verb in VERBS)
_DEFAULT = "show"
_OWN_OPTIONS = frozenset({"--help", "-h", "--version", "--install-completion", "--show-completion"})
_HELP = "help"

NO, USAGE, SOURCE, FORMAT, PARTIAL, UNAVAILABLE, BUG, INTERRUPTED = 1, 2, 3, 4, 5, 69, 70, 130
EXIT_CODES = {"usage": USAGE, "source": SOURCE, "format": FORMAT, "unavailable": UNAVAILABLE, "engine": UNAVAILABLE}
# What is one argument too many is said by the lane, in a sentence that knows the verb.
_CONTEXT = {"help_option_names": ["-h", "--help"], "allow_extra_args": True}
_SUMMARY = "What is in a safetensors checkpoint, from its headers alone: on disk or on the Hugging Face Hub."
_EXAMPLES = (
    "ckptinspect Qwen/Qwen3-0.6B",
    "ckptinspect tree ./llama",
    "ckptinspect help tree",
)
_EPILOG = (
    "REF is a file, a folder, an index, a snapshot, org/name[@revision] on the Hub, a Hub page, or any fsspec URL. "
    "No verb means show; a folder that is called like a verb is written ./tree.\n\n"
    "Exit codes: 0 fine, 1 the answer is no, 2 usage, 3 source, 4 format, 5 partial, 69 unavailable, 70 our bug, "
    "130 interrupted.\n\n"
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    # A short process that builds much and drops little has nothing for the cyclic collector to find.
    gc.disable()
    leave(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """The exit code of a command line; whatever it has to say is on stdout and stderr."""
    debug = "--debug" in arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=SPELLED)
    try:
        return _dispatched(arguments or ["--help"])
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except PipeClosedError:
        _drop_stdout()
        return 0
    except Exception as error:  # noqa: BLE001 - the last boundary: nothing may leave as a traceback
        usage = _usage_message(error, _verb_of(arguments))
        if debug and usage is None:
            traceback.print_exc()
        return _say(usage, USAGE) if usage is not None else _told(error, arguments)


def _told(error: Exception, arguments: list[str]) -> int:
    """Say what went wrong, and what may have been meant; the exit code for it."""
    if isinstance(error, OneTooManyError):
        return _say(_meant(arguments) or str(error), USAGE)
    if isinstance(error, CkptInspectError):
        return _say(f"{error}{_or_a_verb(error, arguments)}", EXIT_CODES.get(error.kind, BUG))
    what = f"a bug of ckptinspect: {type(error).__name__}: {error}"
    return _say(f"{what}; run it again with --debug and report what it prints", BUG)


def _dispatched(arguments: list[str]) -> int:
    verb = _verb_of(arguments)
    if arguments[0] == _HELP:
        return _helped(*arguments[1:2])
    if not verb or "_CKPTINSPECT_COMPLETE" in os.environ:
        return _ran(_whole(), _program(""), arguments)
    return _ran(_single(verb), _program(verb), arguments[arguments[0] == verb :])


def _verb_of(arguments: list[str]) -> str:
    """The verb that a command line asks for; empty where it is about the program itself."""
    if not arguments or arguments[0] in _OWN_OPTIONS or arguments[0] == _HELP:
        return ""
    return arguments[0] if _is_verb(arguments[0]) else _DEFAULT


def _program(verb: str) -> str:
    return f"ckptinspect {verb}".rstrip()


def _ran(app: typer.Typer, program: str, arguments: list[str]) -> int:
    result = typer.main.get_command(app).main(arguments, prog_name=program, standalone_mode=False)
    if result == INTERRUPTED:
        # What typer makes of an interrupt, without a word.
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _helped(verb: str = "") -> int:
    """``ckptinspect help [VERB]``, for those who try that first."""
    if verb and not verb.startswith("-") and not _is_verb(verb):
        near = _near_verb(verb)
        there_are = ", ".join(sorted({*_NAMES, *names_of("cli")}))
        hint = f"did you mean {near}?" if near else f"choose one of {there_are}"
        raise RefError(f"{quoted(verb)} is no verb", hint=hint)
    return _dispatched([verb, "--help"] if _is_verb(verb) else ["--help"])


def _is_verb(word: str) -> bool:
    """Whether a first argument is a verb: one of ours, or one that another package adds."""
    return word in _NAMES or (word.isidentifier() and word in names_of("cli"))


def _whole() -> typer.Typer:
    """All verbs, for help and for shell completion."""
    app = typer.Typer(
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": _CONTEXT["help_option_names"]},
        epilog=_EPILOG + _epilog(_EXAMPLES),
        help=_SUMMARY,
        options_metavar="",
        subcommand_metavar="[VERB] REF [OPTIONS]",
    )
    app.callback()(_callback)
    for verb in VERBS:
        _added(app, verb.name, verb.summary)
    for name in names_of("cli"):
        _added(app, name)
    return app


def _single(name: str) -> typer.Typer:
    """One verb alone: what stands between the user and the answer."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    _added(app, name)
    return app


def command_of(verb: str) -> Any:
    """A verb as the command that typer makes of it: its parameters and their help."""
    return typer.main.get_command(_single(verb))


def _added(app: typer.Typer, name: str, summary: str | None = None) -> None:
    module: Any = (
        import_module(f"ckptinspect.cli.{name}") if name in _NAMES else extension("cli", name, "run", "EXAMPLES")
    )
    command = app.command(
        name, cls=LeanCommand, short_help=summary, epilog=_epilog(module.EXAMPLES), context_settings=_CONTEXT
    )
    command(spelled_out(module.run))


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


def _usage_message(error: Exception, verb: str) -> str | None:
    """The sentence of a usage error, of typer's or click's; None for any other exception."""
    if isinstance(error, typer.Abort):
        return "stopped"
    if not hasattr(error, "exit_code") or not hasattr(error, "format_message"):
        return None
    if hasattr(error, "possibilities"):
        return _no_option(str(getattr(error, "option_name", "")), list(error.possibilities or ()), verb)
    message = str(error.format_message()).rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; see {_program(verb)} --help"


def _no_option(option: str, near: list[str], verb: str) -> str:
    """That a verb has no such option, and which is meant: another verb's of that name before one that looks alike."""
    owners = [name for name in sorted(_NAMES) if option.startswith("--") and option in _options_of(name)]
    if verb and owners:
        return f"{verb} has no option {quoted(option)}; it is for {', '.join(owners)}"
    hint = f"did you mean {near[0]}?" if near else f"see {_program(verb)} --help"
    return f"there is no option {quoted(option)}; {hint}"


def _options_of(verb: str) -> list[str]:
    return [option for each in command_of(verb).params for option in each.opts]


def _meant(arguments: list[str]) -> str | None:
    """What to say where more than one REF was given: a verb may be misspelt, or stand behind an option."""
    plain = [argument for argument in arguments if not argument.startswith("-")]
    if arguments[0] in _NAMES or os.path.lexists(plain[0]):
        return None
    if arguments[0] != plain[0] and (verb := next((word for word in plain if word in _NAMES), None)):
        return f"the verb comes first: ckptinspect {verb} …"
    near = _near_verb(plain[0])
    return f"{quoted(plain[0])} is no verb; did you mean {near}?" if near else None


def _or_a_verb(error: CkptInspectError, arguments: list[str]) -> str:
    """What to add where the only REF is not to be had and looks like a verb."""
    if error.kind != "source" or not arguments[0].isidentifier() or _is_verb(arguments[0]):
        return ""
    near = _near_verb(arguments[0])
    return f"; or did you mean the verb {near}?" if near else ""


def _near_verb(word: str) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, sorted({*_NAMES, *names_of("cli")}), 1)), None)


def _say(sentence: str, code: int) -> int:
    sys.stderr.write(f"error: {escaped(sentence)}\n")
    return code


def _drop_stdout() -> None:
    """Let the interpreter's own last flush go nowhere: the reader of the pipe has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
