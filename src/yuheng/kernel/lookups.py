"""Conditions that Django does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import F, Lookup


class IsAnyOf(Lookup):
    """``column = ANY(array)`` for whole numbers, used as ``rows.filter(IsAnyOf("pk", ids))``.

    All numbers travel as one parameter. ``pk__in`` makes a parameter of each, which for 10,000 tags costs the web
    process 60 ms a question.
    """

    prepare_rhs = False

    def __init__(self, column: str, numbers: Iterable[int]) -> None:
        super().__init__(F(column), "{" + ",".join(map(str, numbers)) + "}")

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the condition, and the array as PostgreSQL reads it."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s::bigint[])", [*parameters, self.rhs]
