"""The audit trail is append-only."""

import pytest
from django.db import DatabaseError, transaction

from yuheng.kernel import audit
from yuheng.kernel.models import AuditRecord
from yuheng.testing.builders import SHIFT_START, SYSTEM

pytestmark = pytest.mark.django_db


def a_record() -> AuditRecord:
    return audit.record(actor=SYSTEM, action="test.done", at=SHIFT_START, object_kind="thing", object_id=1, why="x")


def test_a_record_keeps_who_did_what():
    record = a_record()
    assert (record.actor_kind, record.actor_name, record.detail) == ("system", "test", {"why": "x"})


def test_a_record_cannot_be_saved_again_or_deleted():
    record = a_record()
    with pytest.raises(RuntimeError):
        record.save()
    with pytest.raises(RuntimeError):
        record.delete()


@pytest.mark.parametrize("change", [lambda rows: rows.update(action="other"), lambda rows: rows.delete()])
def test_the_database_refuses_what_goes_around_the_model(change):
    a_record()
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        change(AuditRecord.objects.all())
    assert AuditRecord.objects.get().action == "test.done"
