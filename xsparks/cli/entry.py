"""From the words of a command line to an exit code."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .arguments import make_parser
from .quiet_start import import_tensorflow

INTERRUPTED = 130  # 128 + SIGINT, what a shell expects


def main(arguments: Sequence[str] | None = None) -> int:
    """What does `xsparks` do with these words?

    Parameters
    ----------
    arguments : the words after `xsparks`; None takes those of the process.

    Returns
    -------
    code : 0 when all went well; 1 when `doctor` found a problem; 2 for an error that the user can mend, told in one
        line on stderr; 130 after an interruption.

    Raises
    ------
    SystemExit : by argparse, after `--help`, `--version` or words that it does not understand.

    Example
    -------
    >>> main(["explain", "nowhere.keras", "nowhere.jpg", "--out", "nowhere"])
    2
    """
    options = make_parser().parse_args(arguments)
    try:
        with _notices_as_notes():
            return _COMMANDS[options.command](options)
    except KeyboardInterrupt as interrupted:
        _say("interrupted", str(interrupted) or "Nothing was written.")
        return INTERRUPTED
    except (ValueError, TypeError, OSError) as error:
        if options.traceback:
            raise
        _say("error", str(error))
        return 2


def _demo(options: Namespace) -> int:
    import_tensorflow()
    from .demo import demo

    return demo(options.out, options.count, options.seed, options.quiet)


def _explain(options: Namespace) -> int:
    from .explaining import explain

    return explain(options)


def _evaluate(options: Namespace) -> int:
    from .evaluating import evaluate

    return evaluate(options)


def _doctor(options: Namespace) -> int:
    from .doctor import doctor

    return doctor()


_COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "demo": _demo,
    "explain": _explain,
    "evaluate": _evaluate,
    "doctor": _doctor,
}


def _say(kind: str, text: str) -> None:
    print(f"xsparks: {kind}: {' '.join(text.split())}", file=sys.stderr, flush=True)


@contextmanager
def _notices_as_notes() -> Iterator[None]:
    """What was decided for the user is said without the file and line of the library that decided it."""
    with warnings.catch_warnings():
        as_before = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any, **options: Any) -> None:
            # Compared by name: importing the class would start TensorFlow for `--help`.
            if category.__name__ == "Notice":
                _say("note", str(message))
            else:
                as_before(message, category, *where, **options)

        warnings.showwarning = show
        yield
