"""Objects that are dicts and read as attributes."""

import copy
import json
import pickle

import pytest

from runcrate_core.protocol.json_object import JsonObject


class Leaf(JsonObject):
    __slots__ = ()

    text: str | None


class Tree(JsonObject):
    __slots__ = ()

    number: int = 7
    name: str | None
    leaf: Leaf
    other_leaf: Leaf | None
    leaves: list[Leaf]
    other_leaves: list[Leaf] | None
    numbers: list[int] | None
    anything: JsonObject | None


PARSED = {"name": "n", "leaf": {"text": "a"}, "leaves": [{"text": "b"}, 3], "odd": {"deep": [{}]}}


def tree():
    return Tree(copy.deepcopy(PARSED))


def test_reads_as_dict_and_as_attributes():
    value = tree()
    assert value.name == value["name"] == "n"
    assert value.leaf.text == value["leaf"]["text"] == "a"
    assert value.leaves[0].text == value["leaves"][0]["text"] == "b"
    assert value.leaves[1] == 3
    assert value == json.loads(json.dumps(value)) == PARSED


@pytest.mark.parametrize("value", [Tree(), Tree(dict.fromkeys(Tree.__annotations__))])
def test_declared_member_that_is_absent_or_null(value):
    assert (value.number, value.leaf, value.leaf.text, value.leaves) == (7, {}, None, [])
    for name in ("name", "other_leaf", "other_leaves", "numbers", "anything"):
        assert getattr(value, name) is None


def test_value_of_another_type_than_declared_is_handed_on():
    value = Tree({"leaf": "text", "leaves": [1], "number": "x"})
    assert (value.leaf, value.leaves, value.number) == ("text", [1], "x")


def test_members_that_are_not_declared():
    value = tree()
    assert (type(value.odd), type(value.odd.deep[0])) == (JsonObject, JsonObject)
    assert value.odd.deep[0] == {}
    assert {"odd", "leaf"} <= set(dir(value))
    with pytest.raises(AttributeError, match="Tree has no member `nothing`"):
        _ = value.nothing
    assert getattr(value, "nothing", 5) == 5
    for name in ("name", "new"):
        with pytest.raises(AttributeError):
            setattr(value, name, 1)
    assert repr(Leaf(text="a")) == "Leaf({'text': 'a'})"


@pytest.mark.parametrize("clone", [copy.copy, Tree.copy, copy.deepcopy, lambda value: value])
def test_copies_keep_class_and_content(clone):
    value = tree()
    _ = value.leaf
    twin = pickle.loads(pickle.dumps(clone(value)))  # noqa: S301 - our own
    assert type(twin) is Tree
    assert type(twin["leaf"]) is Leaf
    assert twin == value


def test_plain_copy_shares_nothing():
    value = tree()
    plain = value.to_dict()
    assert type(plain["leaf"]) is dict
    assert plain == PARSED
    plain["leaves"][0]["text"] = "changed"
    assert value.leaves[0].text == "b"
