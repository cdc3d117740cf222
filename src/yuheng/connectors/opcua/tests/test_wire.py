"""Reading notifications from bytes: as the library does, only faster; what is hostile is `Malformed`, no more."""

import random
import sys
from datetime import UTC, datetime

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary

from yuheng.connectors.opcua.values import has_overflowed, quality_of
from yuheng.connectors.opcua.wire import Malformed, Reading, read_publish_response, ticks_of, us_of

AT = datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=UTC)
CALLS_A_VALUE = 18  # twelve when this was written
AT_TICKS = ticks_of(int(AT.timestamp()) * 1_000_000 + 123456)


def a_response(values, sequence=7):
    response = ua.PublishResponse()
    response.Parameters = ua.PublishResult(SubscriptionId=3, AvailableSequenceNumbers=[6, 7], MoreNotifications=True)
    changes = ua.DataChangeNotification(MonitoredItems=[])
    for handle, value in enumerate(values):
        changes.MonitoredItems.append(ua.MonitoredItemNotification(ClientHandle=handle, Value=value))
    message = ua.NotificationMessage(SequenceNumber=sequence, PublishTime=AT, NotificationData=[changes])
    response.Parameters.NotificationMessage = message
    return struct_to_binary(response)


def a_value(value, kind, status=0, **times):
    return ua.DataValue(ua.Variant(value, kind), StatusCode=ua.StatusCode(ua.UInt32(status)), **times)


async def test_every_kind_of_value_is_read_as_the_library_reads_it():
    kinds = [
        (True, ua.VariantType.Boolean),
        (-3, ua.VariantType.SByte),
        (200, ua.VariantType.Byte),
        (-30000, ua.VariantType.Int16),
        (2**63, ua.VariantType.UInt64),
        (1.5, ua.VariantType.Float),
        (2.5, ua.VariantType.Double),
        ("文字", ua.VariantType.String),
        ([1, 2, 3], ua.VariantType.Int32),
        (None, ua.VariantType.Null),
        (b"\x01", ua.VariantType.ByteString),
        (AT, ua.VariantType.DateTime),
        (ua.LocalizedText("x"), ua.VariantType.LocalizedText),
    ]
    values = [a_value(value, kind, SourceTimestamp=AT, ServerTimestamp=AT) for value, kind in kinds]
    found = read_publish_response(Buffer(a_response(values)))
    assert (found.subscription_id, found.available, found.has_more) == (3, (6, 7), True)
    assert found.notification.sequence == 7
    readings = await found.notification.readings()
    assert [reading.value for reading in readings] == [value for value, _ in kinds]
    assert {reading.source_ticks for reading in readings} == {AT_TICKS}


async def test_what_is_not_given_is_zero():
    (reading,) = await read_publish_response(
        Buffer(a_response([ua.DataValue(StatusCode=None)]))
    ).notification.readings()
    assert reading == Reading(0, None, 0, 0, 0)


async def test_a_fault_gives_its_code_and_a_status_change_its_status():
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(ua.StatusCodes.BadNoSubscription))
    assert read_publish_response(Buffer(struct_to_binary(fault))).service_result == ua.StatusCodes.BadNoSubscription


async def test_bytes_that_are_cut_or_changed_are_malformed_or_read_and_nothing_else():
    whole = a_response([a_value(1.5, ua.VariantType.Double, SourceTimestamp=AT) for _ in range(3)])
    chance = random.Random(7)
    refused = 0
    for cut in range(30, len(whole)):
        changed = bytearray(whole[:cut])
        changed[chance.randrange(30, cut + 1) - 1] ^= chance.randrange(1, 256)
        try:
            found = read_publish_response(Buffer(bytes(changed)))
            await found.notification.readings()
        except Malformed:
            refused += 1
    assert refused > 50


async def test_a_value_costs_a_handful_of_calls():
    values = [a_value(1.5, ua.VariantType.Double, SourceTimestamp=AT)] * 2_000
    body, calls = a_response(values), 0

    def count(_frame, event, _given):
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        found = await read_publish_response(Buffer(body)).notification.readings()
    finally:
        sys.setprofile(None)
    assert len(found) == 2_000
    assert calls < CALLS_A_VALUE * 2_000, calls / 2_000


@pytest.mark.parametrize("us", [0, 1, 1_700_000_000_123_456])
def test_times_go_both_ways(us):
    assert us_of(ticks_of(us)) == us


def test_the_overflow_bit_is_told_from_others():
    assert has_overflowed(0x00000480)
    assert not has_overflowed(0x00000080)
    assert quality_of(0xC0000000) == quality_of(0x80000000) == 0x80
