"""The codec of a union of several types."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from .codec import Codec, InvalidValue, kind_of


class UnionCodec(Codec):
    """Union[A, B]: in Arrow a struct with one nullable field a branch, of which one is set.

    In JSON a value stands as it is where its kind (number, string, object...) says the branch, and as
    `{"branch": value}` where not: for all values if two branches share a kind, and for those few that a branch
    writes in another kind, as `{"int": "9007199254740993"}` in int | str.
    """

    def __init__(self, branches: list[Codec]) -> None:
        self.branches = _named(branches)
        self.arrow = pa.struct([pa.field(name, branch.arrow) for name, branch in self.branches.items()])
        self.name = " | ".join(self.branches)
        kinds = [branch.kind for branch in branches]
        escapes = any(branch.escapes for branch in branches)
        self.tagged = "any" in kinds or len(set(kinds)) < len(kinds) or (escapes and "object" in kinds)
        self.kind = "object" if self.tagged else "any"

    def _branch(self, value: Any, where: str) -> str:
        """The branch that would convert nothing, else the first that takes the value."""
        for name, branch in self.branches.items():
            if branch.matches(value):
                return name
        for name, branch in self.branches.items():
            try:
                branch.to_arrow(value, where)
            except InvalidValue:
                continue
            return name
        raise self.refusal(value, where)

    def to_arrow(self, value: Any, where: str) -> dict[str, Any]:
        name = self._branch(value, where)
        return {name: self.branches[name].to_arrow(value, where)}

    def from_arrow(self, value: Any, where: str) -> Any:
        found = {name: part for name, part in value.items() if part is not None} if isinstance(value, dict) else {}
        if len(found) != 1 or not found.keys() <= self.branches.keys():
            raise self.refusal(value, where)
        ((name, part),) = found.items()
        return self.branches[name].from_arrow(part, where)

    def to_json(self, value: Any, where: str) -> Any:
        name = self._branch(value, where)
        branch = self.branches[name]
        form = branch.to_json(value, where)
        return {name: form} if self.tagged or kind_of(form) != branch.kind else form

    def from_json(self, value: Any, where: str) -> Any:
        kind = kind_of(value)
        if not self.tagged:
            for branch in self.branches.values():
                if branch.kind == kind:
                    return branch.from_json(value, where)
        if kind == "object" and len(value) == 1 and value.keys() <= self.branches.keys():
            ((name, form),) = value.items()
            return self.branches[name].from_json(form, where)
        raise self.refusal(value, where, self._forms())

    def _forms(self) -> str:
        if not self.tagged:
            return ""
        return "in JSON: " + " or ".join(f'{{"{name}": ...}}' for name in self.branches)

    def matches(self, value: Any) -> bool:
        return any(branch.matches(value) for branch in self.branches.values())

    def check_stored(self, stored: pa.DataType, where: str) -> None:
        if not pa.types.is_struct(stored):
            raise InvalidValue(where, f"Arrow type {self.arrow} expected, not {stored}")
        for field in stored:
            if field.name in self.branches:
                self.branches[field.name].check_stored(field.type, where)

    def schema(self) -> dict[str, Any]:
        if self.tagged:
            return {"oneOf": [self._tag_schema(name) for name in self.branches]}
        usual = [branch.usual_schema() for branch in self.branches.values()]
        return {"anyOf": usual + [self._tag_schema(name) for name, b in self.branches.items() if b.escapes]}

    def _tag_schema(self, name: str) -> dict[str, Any]:
        branch = self.branches[name]
        tag = {"type": "object", "properties": {name: branch.json_schema()}, "required": [name]}
        return {**tag, "additionalProperties": False, "x-arrow": str(branch.arrow)}


def _named(branches: list[Codec]) -> dict[str, Codec]:
    """The branches by name, in one order however the union was written: `int | str` equals `str | int`."""
    named: dict[str, Codec] = {}
    for branch in sorted(branches, key=lambda branch: branch.name):
        name, count = branch.name, 1
        while name in named:
            count += 1
            name = f"{branch.name}_{count}"
        named[name] = branch
    return named
