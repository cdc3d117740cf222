import pytest

from yuheng.engines.codec import Message, TagSpec, decoder_for
from yuheng.engines.codec.line_protocol import parse_line, what_is_wrong_with_lines
from yuheng.engines.points import Refusal

ARRIVED = 1_732_345_678_000_000
TAGS = [TagSpec(1, "oven/a/temp", "float"), TagSpec(2, "oven/a/on", "bool"), TagSpec(3, "oven/a/recipe", "text")]


def decode(body, topic="write", settings=None, tags=TAGS):
    payload = body if isinstance(body, bytes) else body.encode()
    return decoder_for("http", settings or {}, [], tags).decode([Message(topic, payload, ARRIVED)])


def rows(batch):
    points = batch.points
    return list(zip(points.tag.tolist(), points.time_us.tolist(), points.value.tolist(), strict=True))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("m a=1", {"a": 1.0}),
        ("m a=-1.5e3,b=.5,c=2.", {"a": -1500.0, "b": 0.5, "c": 2.0}),
        ("m a=12i,b=7u,c=-3i", {"a": 12, "b": 7, "c": -3}),
        ("m a=t,b=F,c=True,d=FALSE", {"a": True, "b": False, "c": True, "d": False}),
        ('m a="x, y=z \\"q\\" \\\\"', {"a": 'x, y=z "q" \\'}),
        (r"m a\ b=1,c\,d=2,e\=f=3", {"a b": 1.0, "c,d": 2.0, "e=f": 3.0}),
        ('m a="送丝 故障"', {"a": "送丝 故障"}),
    ],
)
def test_fields_of_every_type_and_escape(line, fields):
    assert parse_line(line).fields == fields


def test_measurement_tags_and_time():
    line = parse_line(r"my\ oven\,1,zone=a\ b,line=2 t=1 -17")
    assert (line.measurement, line.tags, line.time) == ("my oven,1", {"zone": "a b", "line": "2"}, -17)


@pytest.mark.parametrize(
    "line",
    ["", "m", "m ", "m a", "m a=", "m a=1 b", "m,t a=1", "m,t= a=1", 'm a="x', "m a=1x", "m a=1 2 3", "m a=1,", ",a=1"],
)
def test_a_line_that_cannot_be_read_says_why(line):
    with pytest.raises(ValueError, match=r"\w+"):
        parse_line(line)


@pytest.mark.parametrize(("precision", "factor"), [("ns", 1000), ("us", 1), ("ms", 1 / 1000), ("s", 1 / 1_000_000)])
def test_the_precision_of_the_request_gives_times_their_meaning(precision, factor):
    body = f"oven,zone=a temp=180.5,on=t {int(ARRIVED * factor)}"
    assert rows(decode(body, f"write?precision={precision}")) == [(1, ARRIVED, 180.5), (2, ARRIVED, 1.0)]


def test_without_a_time_the_arrival_is_the_time():
    assert rows(decode("oven,zone=a temp=1")) == [(1, ARRIVED, 1.0)]


def test_comments_empty_lines_and_windows_line_ends_are_skipped():
    assert rows(decode("# hello\r\n\r\noven,zone=a temp=1\r\n")) == [(1, ARRIVED, 1.0)]


def test_a_text_may_hold_a_line_end():
    assert decode('oven,zone=a recipe="two\nlines"\noven,zone=a temp=1').texts[0].text == "two\nlines"


def test_a_bad_line_refuses_itself_and_the_message_is_kept():
    batch = decode("oven,zone=a temp=1\noven,zone=a temp=\noven,zone=a on=f")
    assert [(tag, value) for tag, _, value in rows(batch)] == [(1, 1.0), (2, 0.0)]
    assert batch.refused_messages[0][1:] == (Refusal.UNDECODABLE, "Line 2: the field 'temp' is empty.")


def test_values_that_are_no_values_are_refused_as_points():
    batch = decode(f"oven,zone=a temp=NaN,on=7i,other=1,recipe={2**60}i")
    assert {(point.address, point.reason) for _, point in batch.refused} == {
        ("oven/a/temp", Refusal.NOT_FINITE),
        ("oven/a/on", Refusal.WRONG_TYPE),
        ("oven/a/other", Refusal.UNKNOWN_TAG),
        ("oven/a/recipe", Refusal.WRONG_TYPE),
    }


def test_addresses_follow_the_settings():
    tags = [TagSpec(1, "a.temp", "float"), TagSpec(2, "oven/2/temp", "float")]
    line = "oven,zone=a,line=2 temp=1"
    assert rows(decode(line, settings={"line_address": "{zone}.{field}"}, tags=tags)) == [(1, ARRIVED, 1.0)]
    assert rows(decode(line, settings={"line_tags": ["line"]}, tags=tags)) == [(2, ARRIVED, 1.0)]


def test_json_and_lines_of_one_source_keep_their_places():
    decoder = decoder_for("http", {}, [], [TagSpec(1, "L01/temp", "float"), TagSpec(2, "oven/temp", "float")])
    bodies = [("push/L01", b'{"temp": 1}'), ("write", b"oven temp=2"), ("push/L01", b"{"), ("write", b"=")]
    batch = decoder.decode([Message(topic, body, ARRIVED) for topic, body in bodies])
    assert [(tag, value) for tag, _, value in rows(batch)] == [(1, 1.0), (2, 2.0)]
    assert [index for index, _, _ in batch.refused_messages] == [2, 3]


def test_a_sender_is_told_what_is_wrong():
    assert what_is_wrong_with_lines(b"m a=1\nm b=2 17\n") == ""
    assert what_is_wrong_with_lines(b"m a=1\nm b\n") == "Line 2: a field at column 3 has no '='."
    late = what_is_wrong_with_lines(b"m a=1 9223372036854775807", "write?precision=h")
    assert late == "Line 1: the time is outside the years 1 to 9999."
    assert what_is_wrong_with_lines(b"\xff") == "Byte 0 is not valid UTF-8."
    assert what_is_wrong_with_lines(b"\n") == "There is no line in the body."
