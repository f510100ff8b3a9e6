"""Classes whose JSON schemas are hard to send, and what strict servers refuse in a schema."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, RootModel, field_validator, model_validator


class Folder(BaseModel):
    """A folder, which contains folders."""

    name: str
    children: list[Folder] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    friend: Dog | None = Field(default=None, description="Another dog.")


class Home(BaseModel):
    """A home of a pet."""

    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    notes: dict[str, str] = {}
    labels: set[str] = Field(default=set(), description="Labels")
    attic: Folder = Field(default=Folder(name="attic"), description="Under the roof.")


class Pet(RootModel[Annotated[Cat | Dog, Field(discriminator="kind")]]):
    """A pet."""


class Folders(RootModel[list[Folder]]):
    """Folders."""


class Song(BaseModel):
    """A song."""

    name: str
    seconds: int


class Album(BaseModel):
    """An album."""

    title: str
    songs: list[Song]


class Report(BaseModel):
    """A report of an album, of which everything may be missing."""

    title: str | None = None
    songs: list[Song] = []


class Plan(BaseModel):
    """A plan, whose validators expect complete data."""

    name: str
    steps: list[dict[str, Any]] = []

    @model_validator(mode="before")
    @classmethod
    def _needs_steps(cls, values: dict[str, Any]) -> dict[str, Any]:
        values["steps"][1]["number"]
        return values

    @field_validator("name")
    @classmethod
    def _upper(cls, value: str) -> str:
        return value.upper()


class Cabinet(BaseModel):
    """Fields of every form."""

    by_name: dict[str, Folder] = Field(alias="byName")
    either: Annotated[Folder | None, "or nothing"] = None
    folders: list[Folder] | Folder
    pet: Cat | Dog | None = None
    day: dt.date | None = None
    raw: Any = None


CABINET = (
    '{"byName": {"a": {"name": "A"}}, "either": {"name": "x"}, "folders": [{"name": "y", '
    '"children": [{"name": "z"}]}], "pet": {"kind": "dog", "friend": {"kind": "dog"}}, '
    '"day": "2026-11-21", "raw": {"k": [1]}, "more": 1}'
)
ALBUM = (
    '{"title": "Sea", "songs": [{"name": "One", "seconds": 61}, {"name": "Two", "seconds": 62}]}'
)
FOLDER = '{"name": "root", "children": [{"name": "leaf"}, {"name": "second", "children": []}]}'
HOME = '{"pet": {"kind": "dog", "friend": {"kind": "dog", "friend": null}}, "notes": {}}'
PLAN = '{"name": "ab", "steps": [{"number": 1, "text": "one"}, {"number": 2, "text": "two"}]}'
PET = '{"kind": "cat", "lives": 3}'


def sent_schema(body: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a request, which is that of its response format or its only tool."""
    if "response_format" in body:
        schema: dict[str, Any] = body["response_format"]["json_schema"]["schema"]
    else:
        schema = body["tools"][0]["function"]["parameters"]
    return schema


def problems(schema: Any, path: str = "", *, strict: bool, root: Any = None) -> list[str]:
    """Return what strict servers refuse in a schema, and references that lead nowhere."""
    root = schema if root is None else root
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if not isinstance(schema, dict):
        return []
    found = []
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        found += [] if isinstance(schema.get("properties"), dict) else [f"{path}: no properties"]
    if strict:
        if isinstance(schema.get("properties"), dict):
            closed = schema.get("additionalProperties") is False
            found += [] if closed else [f"{path}: not closed"]
            same = sorted(schema.get("required", ())) == sorted(schema["properties"])
            found += [] if same else [f"{path}: optional properties"]
        refused = () if path.endswith("properties") else ("default", "uniqueItems")
        found += [f"{path}: {name}" for name in ("oneOf", "discriminator") if name in schema]
        found += [f"{path}: {name}" for name in refused if name in schema]
        found += [f"{path}: $ref with more"] if "$ref" in schema and len(schema) > 1 else []
    if isinstance(ref := schema.get("$ref"), str):
        found += [] if ref.rpartition("/")[2] in root.get("$defs", {}) else [f"{path}: {ref} lost"]
    for name, item in schema.items():
        found += problems(item, f"{path}.{name}", strict=strict, root=root)
    return found
