"""The command line: `hlgan COMMAND --help` shows every flag with its unit and default.

torch is imported by the commands that need it, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from . import __version__
from .commands.basic import Adapt, Card, Degrade, Demo, Evaluate, Info, Upscale
from .commands.bench import Bench
from .commands.console import plain_messages
from .commands.datasets import PREPARE, Audit
from .commands.export import Export
from .commands.flags import DEFAULT_PRESET
from .commands.mistakes import (
    flags_of,
    in_one_line,
    several_values,
    unknown_command,
    unknown_flag,
)
from .commands.study import Ablate, Compare, Figures
from .commands.train import TRAIN, Train
from .config import RunConfig
from .errors import HLError
from .files import user_path
from .presets import PRESETS, preset
from .runtime import hush, open_standard_files
from .text import shown

COMMANDS = {
    "demo": Demo,
    "prepare": PREPARE,
    "audit": Audit,
    "train": TRAIN,
    "degrade": Degrade,
    "upscale": Upscale,
    "evaluate": Evaluate,
    "card": Card,
    "adapt": Adapt,
    "compare": Compare,
    "ablate": Ablate,
    "figures": Figures,
    "bench": Bench,
    "export": Export,
    "info": Info,
}

FAMILIES = {
    "train": "Train a stage or a baseline",
    "prepare": "Turn a dataset, in its owners' own layout, into a FaceSet file",
}


# ---- parsing -------------------------------------------------------------------------------------
def parse(argv: list[str]) -> Any:
    """The command that the arguments describe.

    Raises SystemExit after --help, and HLError, whose text is one line, for a mistake.
    The preset is read first: its values are the defaults of the training flags, in --help too.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", nargs="?")
    name = first.parse_known_args(argv)[0].preset
    cfg = preset(name if name in PRESETS else DEFAULT_PRESET)
    path, wrong = _path(argv)
    said = io.StringIO()
    try:
        if wrong is None:
            with _room_for_words(), contextlib.redirect_stderr(said):
                command = _command(argv, cfg)
                return replace(command, **_user_paths(command))
    except SystemExit as end:
        if not end.code:
            raise
        wrong = _what_is_wrong(argv, path, cfg, said.getvalue())
    raise HLError(f"{wrong}: see {' '.join(['hlgan', *path, '--help'])}")


def _path(argv: list[str]) -> tuple[list[str], str | None]:
    """The command and its part, as far as they are known; what is wrong with the next word."""
    path: list[str] = []
    commands: Any = COMMANDS
    while isinstance(commands, dict):
        word = argv[len(path)] if argv[len(path) :] else None
        if word in ("-h", "--help") or (word is None and not path):
            return path, None
        if word is None or word not in commands:
            return path, unknown_command(" ".join(["hlgan", *path]), word, commands)
        path.append(word)
        commands = commands[word]
    return path, None


def _command(argv: list[str], cfg: RunConfig) -> Any:
    """What tyro makes of the arguments."""
    about = "Learn image degradation first, then super-resolution. --version: of this library."
    return tyro.cli(_union(COMMANDS, cfg), prog="hlgan", description=about, args=argv)


def _user_paths(command: Any) -> dict[str, Path]:
    """The paths of a command as a person meant them, `~` expanded."""
    values = {field.name: getattr(command, field.name) for field in fields(command)}
    return {name: user_path(v) for name, v in values.items() if isinstance(v, Path)}


def _what_is_wrong(argv: list[str], path: list[str], cfg: RunConfig, said: str) -> str:
    """The first mistake: a flag that there is not, several values for one, or what tyro says."""
    help_text = io.StringIO()
    with (
        _room_for_words(),
        contextlib.redirect_stdout(help_text),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        _command([*path, "--help"], cfg)
    flags = flags_of(help_text.getvalue())
    wrong = unknown_flag(argv[len(path) :], flags) if flags else None
    if wrong is None and "Unrecognized" in said:
        wrong = several_values(argv[len(path) :])
    return wrong or in_one_line(said)


@contextlib.contextmanager
def _room_for_words() -> Iterator[None]:
    """At least 60 columns, as tyro never ends in very few."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(max(60, shutil.get_terminal_size().columns))
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _union(commands: dict, cfg: RunConfig) -> Any:
    """The commands as one type for tyro; the training ones start from cfg."""
    options = []
    for name, kind in commands.items():
        if isinstance(kind, dict):
            description = f"{FAMILIES[name]}: {', '.join(kind)}."
            about = tyro.conf.subcommand(name, description=description)
            kind = _union(kind, cfg)
        elif issubclass(kind, Train):
            required = {f.name: tyro.MISSING for f in fields(kind) if f.default is MISSING}
            about = tyro.conf.subcommand(name, default=kind(cfg=cfg, **required))
        else:
            about = tyro.conf.subcommand(name)
        options.append(Annotated[kind, about])
    return Union[tuple(options)]  # noqa: UP007 (made at run time)


# ---- the program ---------------------------------------------------------------------------------
def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Returns the exit code: 0; 2 for what the user can mend, and one line says what; 128 + n after
    signal n.
    """
    open_standard_files()
    argv = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError):  # of a stream that another program has replaced
                stream.reconfigure(errors="backslashreplace")  # names that its encoding lacks
    code = 0
    try:
        if argv == ["--version"]:
            print(f"hlgan {__version__}", flush=True)
            return 0
        with plain_messages():
            code = parse(argv or ["--help"]).run()
            if code > 128:
                again = ["hlgan", *(a for a in argv if a != "--resume")]
                if argv[0] == "train":  # a plan goes on by itself
                    again.append("--resume")
                print(f"stopped and saved; go on with: {shlex.join(again)}")
            sys.stdout.flush()
        return code
    except HLError as error:
        return _refuse(str(error))
    except SystemExit as end:  # --help
        return int(end.code or 0)
    except KeyboardInterrupt:
        # What `prepare` has read stays beside its output.
        on = f"; go on with: {shlex.join(['hlgan', *argv])}" if argv[:1] == ["prepare"] else ""
        return _end(f"stopped{on}", 130)
    except BrokenPipeError:  # `hlgan info | head`: nobody listens any more
        hush(sys.stdout)
        return code or 141
    except OSError as error:
        return _refuse(
            f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}"
        )
    except MemoryError:
        return _refuse(TOO_LITTLE_MEMORY)
    except RuntimeError as error:
        if any(words in str(error) for words in NO_MEMORY):
            return _refuse(TOO_LITTLE_MEMORY)
        raise


NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")  # torch's words for it
TOO_LITTLE_MEMORY = "the memory is used up: try a smaller --batch, smaller widths, or --device cpu"


def _refuse(message: str) -> int:
    return _end(f"error: {message}", 2)


def _end(words: str, code: int) -> int:
    """The exit code, with a last line where anybody listens: Ctrl-C ends a `tee` behind us too."""
    with contextlib.suppress(OSError):
        print(shown(f"hlgan: {words}"), file=sys.stderr)
    return code


if __name__ == "__main__":  # `python -m hlgan_lib` is the same
    sys.exit(main())
