"""The words that `xsparks` understands."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from .. import __version__

_ABOUT = """\
Explain vision models: where a model looks, and whether such a map can be trusted."""
_EXAMPLES = """\
examples:
  xsparks demo --out demo_output
  xsparks explain mobilenet.keras photographs/ --preprocess tf --class-names names.txt --out explained
  xsparks explain my_models:build cat.jpg --target 281 --set grid_size=7 --out explained
  xsparks evaluate mobilenet.keras photographs/ --preprocess tf --methods sobol,gradcam --out evaluated
  xsparks doctor"""
_MODEL = """\
a .keras or .h5 file (read in Keras' safe mode: files that carry code are refused), a SavedModel folder, or
module:function, a function of yours that returns the model when called without arguments"""
_IMAGES = "image files, folders (with all that is in them) and patterns such as 'photographs/**/*.jpg'"
_TARGET = "the class to explain, by id or by name (needs --class-names); default: the class that the model predicts"
_PREPROCESS = """\
what the model was trained with: tf (to -1..1), torch, caffe, or module:function; default: none, the model gets
values from 0 to 255"""
_NAMES = """\
one name a line; or lines of id, WordNet id and names between tabs; or JSON: a list, or Keras'
imagenet_class_index.json"""
_SIZE = "pixels of the model's input, such as 224 or 224x320; default: what the model tells"
_SQUASH = "squash the whole picture into the input; default: resize the short side, then cut the centre out"
_SET = "an option of the method, such as grid_size=7 or design=scrambled_sobol; may be given several times"
_METHODS = "methods between commas, each with options of its own: sobol,rise:samples=500 (default: %(default)s)"
_METRICS = "metrics between commas, such as deletion,mufidelity,sparseness (default: %(default)s)"
_LABELS = """\
CSV with a header: the columns file and label, or another one named as FILE:COLUMN, hold names and class ids; default:
the class that the model predicts"""
_MASKS = "folder with a mask for each image, under its name, for metrics of place such as pointinggame"
_OUT = "folder for the results; an interrupted run goes on from what is finished there"


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as all others of the program."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"xsparks: error: {message}. See `{self.prog} --help`.\n")


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line.

    Example
    -------
    >>> make_parser().parse_args(["demo", "--count", "4", "--out", "there"]).count
    4
    """
    parser = _Parser(
        prog="xsparks", description=_ABOUT, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"xsparks {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_demo(commands)
    _add_explain(commands)
    _add_evaluate(commands)
    about = "versions, devices, a small explanation as a test, and known troubles of an installation"
    _add_debugging(commands.add_parser("doctor", help="look whether all is well", description=about.capitalize() + "."))
    return parser


def _add_demo(commands: Any) -> None:
    about = "Explains pictures of the embedded data set, measures the maps, and writes a page about them."
    demo = commands.add_parser("demo", help="see it work, without a model or images", description=about)
    demo.add_argument("--out", required=True, metavar="DIR", help="folder for the page")
    demo.add_argument("--count", type=_positive, default=12, metavar="N", help="pictures (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="of pictures and method (default: %(default)s)")
    demo.add_argument("--quiet", action="store_true", help="print notes and errors only")
    _add_debugging(demo)


def _add_explain(commands: Any) -> None:
    about = "Writes, for each image, a map of where the model looks; for all of them, a page and a results.json."
    explain = commands.add_parser("explain", help="explain a model's answers to photographs", description=about)
    explain.add_argument("model", metavar="MODEL", help=_MODEL)
    explain.add_argument("images", nargs="+", metavar="IMAGES", help=_IMAGES)
    explain.add_argument("--out", required=True, metavar="DIR", help=_OUT)
    explain.add_argument("--method", default="sobol", metavar="NAME", help="default: %(default)s")
    explain.add_argument("--target", metavar="CLASS", help=_TARGET)
    explain.add_argument("--class-names", metavar="FILE", help=_NAMES)
    _add_reading(explain)
    explain.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=_SET)
    explain.add_argument("--quiet", action="store_true", help="print notes and errors only")
    _add_debugging(explain)


def _add_evaluate(commands: Any) -> None:
    about = "Measures methods by metrics on the same images, beside controls that never look at the model."
    evaluate = commands.add_parser("evaluate", help="find out which method can be trusted", description=about)
    evaluate.add_argument("model", metavar="MODEL", help=f"{_MODEL}; or shapes, the embedded model and its pictures")
    evaluate.add_argument("images", nargs="*", metavar="IMAGES", help=_IMAGES)
    evaluate.add_argument("--out", required=True, metavar="DIR", help=_OUT)
    default = "sobol,gradcam,integratedgradients,smoothgrad"
    evaluate.add_argument("--methods", default=default, metavar="NAMES", help=_METHODS)
    evaluate.add_argument("--metrics", default="deletion,insertion", metavar="NAMES", help=_METRICS)
    evaluate.add_argument("--labels", metavar="FILE", help=_LABELS)
    evaluate.add_argument("--masks", metavar="DIR", help=_MASKS)
    evaluate.add_argument("--images", dest="count", type=_positive, metavar="N", help="the first N images alone")
    evaluate.add_argument("--no-controls", action="store_true", help="no random map, edge detector and centre blob")
    _add_reading(evaluate)
    evaluate.add_argument("--quiet", action="store_true", help="print errors only")
    _add_debugging(evaluate)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    """How images are read and shown to the model."""
    parser.add_argument("--preprocess", metavar="NAME", help=_PREPROCESS)
    parser.add_argument("--size", type=_size, metavar="HxW", help=_SIZE)
    parser.add_argument("--squash", action="store_true", help=_SQUASH)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all random draws (default: %(default)s)")
    batch = "images in flight, at most; auto is halved when memory runs out (default: %(default)s)"
    parser.add_argument("--batch-size", type=_batch_size, default="auto", metavar="N", help=batch)
    skip = "go on without the images that cannot be read, and list them"
    parser.add_argument("--skip-unreadable", action="store_true", help=skip)


def _add_debugging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--traceback", action="store_true", help="show where in the code an error came from")


def _positive(text: str) -> int:
    if not re.fullmatch(r"\d+", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, got {text!r}")
    return int(text)


def _batch_size(text: str) -> int | str:
    if text != "auto" and (not text.isdigit() or int(text) < 1):
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1 or auto, got {text!r}")
    return text if text == "auto" else int(text)


def _size(text: str) -> tuple[int, int]:
    """Height and width.

    >>> _size("224"), _size("224x320")
    ((224, 224), (224, 320))
    """
    found = re.fullmatch(r"([1-9]\d*)(?:[xX]([1-9]\d*))?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH or one number for both, such as 224x320, got {text!r}")
    return int(found[1]), int(found[2] or found[1])
