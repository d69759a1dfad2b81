"""Command-line options derived from the fields of a stage's knobs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from mhmd.config import Config
from mhmd.report import LogFormat

RecipeFile = Annotated[str | None, typer.Argument(help="A recipe (TOML); its values hold where no option is given.")]
Log = Annotated[LogFormat, typer.Option("--log-format", help="auto: bars on a terminal, plain lines elsewhere.")]
"""Options that commands share."""
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def with_knobs(config: type[Config], function: Callable[..., None], hidden: Sequence[str] = ()) -> Callable[..., None]:
    """`function` with an option for every knob; it gets the options' values as a dict named `options`.

    An option that is not given is None, so that a recipe's value or the default counts. Parameters that are
    `hidden` get no option and keep their defaults.
    """
    signature = inspect.signature(function, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name not in ("options", *hidden)]
    knobs = [_parameter(name, field) for name, field in config.model_fields.items()]

    def command(**values: Any) -> None:  # Any: whatever types the options have
        options = {name: values.pop(name) for name in config.model_fields}
        function(**values, options=options)

    parameters = [*own, *knobs]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # Typer reads it
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    return command


def describe(field: FieldInfo) -> str:
    """A knob's help: what it is, and its range."""
    limits = [
        f"{words} {getattr(limit, bound)}"
        for bound, words in BOUNDS.items()
        for limit in field.metadata
        if hasattr(limit, bound)
    ]
    choices = [str(choice) for choice in get_args(field.annotation)] if get_origin(field.annotation) is Literal else []
    told = ", ".join([*choices, *limits])
    text = (field.description or "").rstrip(".")
    return f"{text} [{told}]" if told else text


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    kind = str if get_origin(field.annotation) is Literal else field.annotation
    option = typer.Option(
        None,
        f"--{name.replace('_', '-')}" + (f"/--no-{name.replace('_', '-')}" if kind is bool else ""),
        help=f"{describe(field)} (default: {field.default!r})".replace("[", "\\["),
        show_default=False,
        rich_help_panel="Knobs",
    )
    annotation: Any = kind | None  # type: ignore[operator]  # Any: a type made at run time
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)
