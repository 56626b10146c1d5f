"""Registries: the names that a config may choose from, and where the code behind each name is.

A registry is a dictionary from names to specs. A spec holds the facts that a config check or a table needs, and a
`Target`: the code itself, or `"module:attribute"`, which is imported at its first use. So names, schema and tables
need neither numpy nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

Target: TypeAlias = Any
"""An object, or `"module:attribute"`."""


def resolve(target: Target) -> Any:
    """Return the object that a target names; a target that is not text is the object itself.

    >>> resolve("math:pi")
    3.141592653589793
    """
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


class OneOf:
    """The type of a setting whose value is a name of a registry, as in `Annotated[str, OneOf(CELLS)]`.

    The registry is read at each validation: an entry added later is allowed from then on.
    """

    def __init__(self, registry: Mapping[str, Any]) -> None:
        self._registry = registry

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate as `Literal[...]` of the names does, with the same error."""
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """List the names, as for `Literal[...]`."""
        return {"enum": list(self._registry), "type": "string"}

    def _validate(self, value: object) -> str:
        if isinstance(value, str) and value in self._registry:
            return value
        names = [f"'{name}'" for name in self._registry]
        raise PydanticKnownError("literal_error", {"expected": ", ".join(names)})


class OneOfOrDotted(OneOf):
    """The type of a setting whose value is a name of a registry, or `owner.name` with a name of a second registry.

    Args:
        registry: The names without an owner.
        of_owner: The names after the last dot.
        parse_owner: Checks the text before it, and returns it as it is saved.
    """

    def __init__(
        self, registry: Mapping[str, Any], of_owner: Mapping[str, Any], parse_owner: Callable[[object], str]
    ) -> None:
        super().__init__(registry)
        self._of_owner = of_owner
        self._parse_owner = parse_owner

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """List the names, and give a pattern of the dotted ones."""
        pattern = rf"^.+\.({'|'.join(self._of_owner)})$"
        plain = super().__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [plain, {"type": "string", "pattern": pattern}]}

    def _validate(self, value: object) -> str:
        if not isinstance(value, str) or "." not in value:
            return super()._validate(value)
        owner, _, name = value.rpartition(".")
        owner = self._parse_owner(owner)
        if name in self._of_owner:
            return f"{owner}.{name}"
        names = [f"'{owner}.{name}'" for name in self._of_owner]
        raise PydanticKnownError("literal_error", {"expected": ", ".join(names)})
