"""The OpenAPI document is what programs are generated from."""

import re
from collections import Counter
from enum import Enum
from typing import get_args

from ninja import Schema

from yuheng.config.api import api

METHODS = {"get", "put", "post", "patch", "delete"}


def operations():
    paths = api.get_openapi_schema()["paths"]
    return [operation for path in paths.values() for method, operation in path.items() if method in METHODS]


def test_every_operation_has_a_name_of_its_own_that_makes_a_good_function():
    names = Counter(operation["operationId"] for operation in operations())
    assert names
    assert [name for name, count in names.items() if count > 1 or not re.fullmatch(r"[a-z][a-z_]{2,40}", name)] == []


def test_every_operation_says_what_it_does():
    assert [operation["operationId"] for operation in operations() if not operation.get("description")] == []


def _all_schemas(kind):
    for one in kind.__subclasses__():
        yield one
        yield from _all_schemas(one)


def test_no_two_contexts_give_a_schema_the_same_name():
    """The document has one place for a name: the later would stand for both."""
    assert api.get_openapi_schema()["components"]["schemas"]
    ours = {f"{one.__module__}.{one.__qualname__}": one.__name__ for one in _all_schemas(Schema)}
    names = Counter(name for path, name in ours.items() if path.startswith("yuheng.") and ".tests." not in path)
    assert len(names) > 100
    assert [path for path, name in ours.items() if names[name] > 1] == []


def _enums_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield annotation
    for part in get_args(annotation):
        yield from _enums_in(part)


def test_no_two_contexts_give_a_list_of_words_the_same_name():
    """An enumeration is a schema of the document, too."""
    assert api.get_openapi_schema()["components"]["schemas"]
    ours = [
        one for one in _all_schemas(Schema) if one.__module__.startswith("yuheng.") and ".tests." not in one.__module__
    ]
    found = {enum for one in ours for field in one.model_fields.values() for enum in _enums_in(field.annotation)}
    names = Counter(enum.__name__ for enum in found)
    assert names
    assert sorted(f"{enum.__module__}.{enum.__name__}" for enum in found if names[enum.__name__] > 1) == []
