"""The command line: `hlgan COMMAND --help` shows every flag with its unit and default.

torch is imported by the commands that need it, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import sys
from dataclasses import MISSING, fields
from typing import Annotated, Union

import tyro

from .commands.basic import Card, Degrade, Demo, Evaluate, Info, Prepare, Upscale
from .commands.console import plain_messages
from .commands.flags import DEFAULT_PRESET
from .commands.study import Ablate, Compare, Figures
from .commands.train import TRAIN, Train
from .config import PRESETS, RunConfig, preset
from .errors import HLError

COMMANDS = {
    "demo": Demo,
    "prepare": Prepare,
    "train": TRAIN,
    "degrade": Degrade,
    "upscale": Upscale,
    "evaluate": Evaluate,
    "card": Card,
    "compare": Compare,
    "ablate": Ablate,
    "figures": Figures,
    "info": Info,
}


# ---- parsing ---------------------------------------------------------------------------------------------------------
def parse(argv: list[str]):
    """The command that the arguments describe. SystemExit after --help; HLError, one line, for a mistake.

    The preset is read first: its values are the defaults of the training flags, in --help too.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", nargs="?")
    name = first.parse_known_args(argv)[0].preset
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                _union(COMMANDS, preset(name if name in PRESETS else DEFAULT_PRESET)),
                prog="hlgan",
                description="Learn image degradation first, then super-resolution.",
                args=argv,
            )
    except SystemExit as end:
        if not end.code:
            raise
        words = [w for w in argv[:2] if w in {**COMMANDS, **COMMANDS["train"]}]
        raise HLError(
            f"{one_line(said.getvalue())}: see {' '.join(['hlgan', *words, '--help'])}"
        ) from None


def _union(commands: dict, cfg: RunConfig):
    """The commands as one type for tyro; the training ones start from cfg."""
    options = []
    for name, kind in commands.items():
        if isinstance(kind, dict):
            about = tyro.conf.subcommand(
                name, description=f"Train a stage or a rival: {', '.join(kind)}."
            )
            kind = _union(kind, cfg)
        elif issubclass(kind, Train):
            required = {f.name: tyro.MISSING for f in fields(kind) if f.default is MISSING}
            about = tyro.conf.subcommand(name, default=kind(cfg=cfg, **required))
        else:
            about = tyro.conf.subcommand(name)
        options.append(Annotated[kind, about])
    return Union[tuple(options)]  # noqa: UP007 (made at run time)


def one_line(box: str) -> str:
    """What tyro says in a framed box (of ASCII in plain terminals) as one line: its first part, a suggested flag."""
    lines = [line.strip("│╭╰╮╯|+ ") for line in box.splitlines()]
    if "Required options" in lines[0]:
        flags = [
            line.split()[0] for line in lines if re.match(r"--\w", line)
        ]  # a rule of dashes is none
        return f"missing: {', '.join(flags)}"
    parts = [part.split() for part in re.split(r"[─-]{3,}", " \n ".join(lines[1:])) if part.strip()]
    text = " ".join(parts[0])
    text = re.sub(r"^Error parsing \S+\.cfg: ", "", text)
    for part in parts[1:]:
        if part[:3] == ["Perhaps", "you", "meant:"]:
            text += f", did you mean {part[3].rstrip(',')}"
    return text.rstrip(".: ")


# ---- the program -----------------------------------------------------------------------------------------------------
def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit code: 0, 2 for what the user can mend (one line says what), 128 + n after signal n."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        with plain_messages():
            code = parse(argv or ["--help"]).run()
            if code > 128:
                resume = ["--resume"] if argv[0] == "train" else []  # a plan goes on by itself
                again = shlex.join(["hlgan", *(a for a in argv if a != "--resume"), *resume])
                print(f"stopped and saved; go on with: {again}")
            sys.stdout.flush()
        return code
    except HLError as error:
        return _refuse(str(error))
    except SystemExit as end:  # --help
        return end.code or 0
    except KeyboardInterrupt:
        print("hlgan: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `hlgan info | head`: nobody listens any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _refuse(
            f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}"
        )
    except MemoryError:
        return _refuse(TOO_LITTLE_MEMORY)
    except RuntimeError as error:
        if "out of memory" in str(error) or "not enough memory" in str(error):
            return _refuse(TOO_LITTLE_MEMORY)
        raise


TOO_LITTLE_MEMORY = "the memory is used up: try a smaller --batch, smaller widths, or --device cpu"


def _refuse(message: str) -> int:
    print(f"hlgan: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
