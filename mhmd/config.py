"""A stage's knobs: one field a knob, with its unit in the name, its range and its help.

Command-line options, the check of a recipe and the reference pages derive from these fields.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mhmd.errors import RecipeError


class Config(BaseModel):
    """Base of every stage's knobs: frozen, and nothing unknown gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    def content(self) -> str:
        """What of it counts into a digest, as JSON: for a knob that names a file the hash of that, not the name."""
        return self.model_dump_json()

    @classmethod
    def checked(cls, values: dict[str, Any], where: str) -> Self:  # values: TOML or options, of any type
        """The config of these values. Raises RecipeError naming `where`, the knob, its value and its range."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise cls._told(error, where) from None

    @classmethod
    def _told(cls, error: ValidationError, where: str) -> RecipeError:
        from difflib import get_close_matches

        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            near = get_close_matches(name, cls.model_fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "remove it"
            return RecipeError(
                f"{where}: unknown knob {name!r}", wanted=f"one of {', '.join(cls.model_fields)}", do=hint
            )
        message = first["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        if not name:  # the knobs contradict each other
            return RecipeError(f"{where}: {message}", wanted="knobs that go together", do="change one of them")
        return RecipeError(f"{where}: {name} = {first['input']!r}", wanted=message, do=f"change {name}")
