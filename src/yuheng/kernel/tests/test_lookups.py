"""Conditions that Django does not have."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from yuheng.kernel.lookups import IsAnyOf
from yuheng.kernel.models import Site
from yuheng.testing.builders import a_site, another_site

pytestmark = pytest.mark.django_db


def test_rows_with_any_of_the_numbers_are_found():
    one, other = a_site(), another_site()
    assert list(Site.objects.filter(IsAnyOf("pk", [other.pk, 0, 10**17]))) == [other]
    assert Site.objects.filter(IsAnyOf("pk", {one.pk, other.pk})).count() == 2


def test_no_numbers_find_nothing():
    a_site()
    assert not Site.objects.filter(IsAnyOf("pk", [])).exists()


def test_ten_thousand_numbers_are_one_parameter():
    with CaptureQueriesContext(connection) as asked:
        Site.objects.filter(IsAnyOf("pk", range(10_000))).count()
    assert "'{0,1,2" in asked[0]["sql"]
    assert asked[0]["sql"].count("'") == 2
