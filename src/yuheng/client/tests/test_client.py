"""The client against a server of its own: pages, names, times, errors."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pyarrow as pa
import pytest

from yuheng.client import Client, NotFound, NotSignedIn, Refused, Unreachable, client

START = datetime(2026, 11, 23, tzinfo=UTC)
TAGS = [
    {"id": 7, "work_unit": "L01", "symbol": "power_kw", "address": "L01/power_kw", "role": "power_kw"},
    {"id": 9, "work_unit": "L02", "symbol": "power_kw", "address": "L02/power_kw", "role": "power_kw"},
    {"id": 12, "work_unit": "", "symbol": "", "address": "visitor/temp", "role": ""},
]
ROWS = {  # tag -> (second, seq, value)
    7: [(second, 0, float(second)) for second in range(10)],
    9: [(0, 0, 0.5), (1, 0, 1.5), (1, 1, 1.6), (2, 0, 2.5)],
    12: [],
}


class FakeYuheng(BaseHTTPRequestHandler):
    """Answers as the API does; ``server.asked`` keeps the questions."""

    def do_GET(self):
        """Answer a question."""
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/api/v1")
        self.server.asked.append((path, query))
        if parts.path == "/sign-in":
            form = (
                b'<form><input type="hidden" name="csrfmiddlewaretoken" value="a&amp;b"><input name="username"></form>'
            )
            return self._send(200, form, "text/html")
        if self.headers.get("Authorization") != "Bearer good" and "sessionid=ok" not in (
            self.headers.get("Cookie") or ""
        ):
            return self._problem(401, "Sign in, or send a valid token.")
        answer = getattr(self, "_" + path.strip("/").replace("/", "_").replace("-", "_"), None)
        if answer is None:
            return self._problem(404, "There is no such thing here.")
        return answer(query)

    def do_POST(self):
        """Take the sign-in form."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append(("POST", form))
        if form.get("password") != ["right"]:
            return self._send(403, b"<p>wrong</p>", "text/html")
        self.send_response(200)
        self.send_header("Set-Cookie", "sessionid=ok; Path=/")
        self.end_headers()
        return None

    def _sites(self, query):
        self._json(
            [{"id": 1, "code": "elevator1", "name_zh": "扶梯一厂", "name_en": "Plant", "time_zone": "Asia/Shanghai"}]
        )

    def _sites_1_work_units(self, query):
        self._json([{"id": 70, "code": "L01"}, {"id": 71, "code": "L02"}])

    def _tags(self, query):
        found = [tag for tag in TAGS if query.get("text", "") in tag["address"]]
        offset, limit = int(query["offset"]), int(query["limit"])
        self._json({"total": len(found), "offset": offset, "tags": found[offset : offset + limit]})

    def _states(self, query):
        intervals = [
            {"state": "producing", "cause": "", "start": "2026-11-23T00:00:00Z", "end": "2026-11-23T00:10:00.250000Z"},
            {"state": "down", "cause": "12", "start": "2026-11-23T00:10:00.250000Z", "end": None},
        ]
        self._json([{"work_unit_id": int(query["work_unit_ids"]), "intervals": intervals}])

    def _live(self, query):
        unit = {"work_unit_id": 71, "state": "idle", "cause": "", "since": "2026-11-23T00:00:00Z", "seen": None}
        self._json({"at": "2026-11-23T00:00:00Z", "data_time": None, "units": [unit], "values": []})

    def _history_raw(self, query):
        first, last = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        rows = [
            (tag, START + timedelta(seconds=second), seq, value)
            for tag in sorted(int(word) for word in query["tags"].split(","))
            for second, seq, value in ROWS[tag]
            if first <= START + timedelta(seconds=second) < last
        ][: int(query["limit"])]
        columns = list(zip(*rows, strict=True)) or [[], [], [], []]
        types = [pa.uint32(), pa.timestamp("us", tz="UTC"), pa.uint64(), pa.float64()]
        self._arrow([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], "tag time seq value")

    def _history_latest(self, query):
        if "999" in query["tags"]:
            return self._problem(404, "There is no such tag that you may see.")
        ids = [int(word) for word in query["tags"].split(",")]
        times = pa.array([START] * len(ids), pa.timestamp("us", tz="UTC"))
        return self._arrow([pa.array(ids, pa.uint32()), times, pa.array([1.0] * len(ids))], "tag time value")

    def _history_aggregate(self, query):
        if query["bucket"] == "7m":
            return self._problem(422, "Too many buckets.", {"bucket": "choose a wider one"})
        times = pa.array([START], pa.timestamp("us", tz="UTC"))
        return self._arrow([pa.array([7], pa.uint32()), times, pa.array([4.5])], "tag bucket avg")

    def _arrow(self, arrays, names):
        table = pa.table(dict(zip(names.split(), arrays, strict=True)))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        self._send(200, sink.getvalue().to_pybytes(), "application/vnd.apache.arrow.stream")

    def _json(self, body):
        self._send(200, json.dumps(body).encode(), "application/json")

    def _problem(self, status, detail, fields=None):
        body = {"title": "x", "detail": detail, "fields": fields or {}}
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status, body, media_type):
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server():
    found = ThreadingHTTPServer(("127.0.0.1", 0), FakeYuheng)
    found.asked = []
    found.url = f"http://127.0.0.1:{found.server_address[1]}"
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture
def plant(server):
    return Client(server.url, token="good")


def test_tags_are_rows_with_names_that_can_be_used_again(plant):
    frame = plant.tags()
    assert list(frame["name"]) == ["L01.power_kw", "L02.power_kw", "visitor/temp"]
    assert list(plant.tags(work_unit="L02")["id"]) == [9]
    assert list(plant.latest(frame)["name"]) == list(frame["name"])


@pytest.mark.parametrize("tags", [[7, 9], ["L01.power_kw", "L02/power_kw"], ["L01.power_kw", 9, 9]])
def test_raw_history_is_whole_and_in_order_whatever_the_size_of_a_page(plant, monkeypatch, tags):
    whole = [(tag, second, seq, value) for tag in (7, 9) for second, seq, value in ROWS[tag]]
    for rows in (1_000, 14, 13, 7, 5, 3):
        monkeypatch.setattr(client, "PAGE_ROWS", rows)
        frame = plant.history(tags, START, START + timedelta(minutes=1))
        seconds = (frame["time"] - pd.Timestamp(START)).dt.total_seconds().astype(int)
        assert list(zip(frame["tag"], seconds, frame["seq"], frame["value"], strict=True)) == whole, rows


def test_more_values_at_one_time_than_fit_a_page_are_refused_and_do_not_loop(plant, monkeypatch):
    monkeypatch.setattr(client, "PAGE_ROWS", 2)
    with pytest.raises(Refused, match="share the time"):
        plant.history(9, START + timedelta(seconds=1), START + timedelta(minutes=1))


def test_a_tag_without_data_gives_an_empty_frame_with_its_columns(plant):
    frame = plant.history("visitor/temp", START, START + timedelta(hours=1))
    assert (len(frame), "value" in frame) == (0, True)


def test_buckets_are_asked_for_in_the_words_of_the_api(plant, server):
    frame = plant.history("L01.power_kw", "2026-11-23T08:00+08:00", "2026-11-23T09:00+08:00", bucket="15min")

    path, query = server.asked[-1]
    assert (path, query["bucket"], query["start"]) == ("/history/aggregate", "15m", "2026-11-23T00:00:00+00:00")
    assert list(frame.columns) == ["name", "tag", "time", "avg"]
    assert frame["time"][0] == pd.Timestamp(START)


def test_states_have_times_and_the_last_one_lasts(plant, server):
    frame = plant.states("L02", START, START + timedelta(hours=1))

    assert server.asked[-1][1]["work_unit_ids"] == "71"
    assert list(frame["state"]) == ["producing", "down"]
    assert frame["end"][0] == frame["start"][1] == pd.Timestamp("2026-11-23T00:10:00.25Z")
    assert frame["end"].isna()[1]


def test_live_states_name_their_work_units(plant):
    frame = plant.live("elevator1")
    assert list(frame["work_unit"]) == ["L02"]
    assert frame["seen"].isna()[0]


def test_many_tags_are_asked_for_in_parts(plant, server, monkeypatch):
    monkeypatch.setattr(client, "TAGS_A_REQUEST", 1)
    assert list(plant.latest([7, 9, 12])["tag"]) == [7, 9, 12]
    assert [query["tags"] for path, query in server.asked if path == "/history/latest"] == ["7", "9", "12"]


def test_a_name_and_a_password_open_a_session_once(server):
    plant = Client(server.url, username="ana", password="right")
    plant.sites()
    plant.sites()

    posts = [form for path, form in server.asked if path == "POST"]
    assert posts == [{"csrfmiddlewaretoken": ["a&b"], "username": ["ana"], "password": ["right"]}]


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda plant: plant.latest(999), NotFound, "no such tag"),
        (lambda plant: plant.latest("L09.power_kw"), NotFound, "There is no tag 'L09.power_kw'"),
        (lambda plant: plant.states("X99", START, START), NotFound, "no work unit 'X99'"),
        (lambda plant: plant.tags(site="mars"), NotFound, "no site 'mars'"),
        (lambda plant: plant.history(7, START, START + timedelta(days=1), "7m"), Refused, "bucket: choose a wider"),
        (lambda plant: plant.history(7, START, START + timedelta(days=1), "fortnight"), Refused, "not a width"),
        (lambda plant: plant.history(7, "2026-11-23", START), Refused, "no time zone"),
        (lambda plant: plant.history(7, "yesterday-ish", START), Refused, "not a moment"),
        (lambda plant: plant.history(7, START, START), Refused, "after the start"),
        (lambda plant: plant.history([], START, START + timedelta(1)), Refused, "which tags"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(plant, call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call(plant)


def test_a_bad_token_a_bad_password_and_a_dead_server_are_told_apart(server):
    with pytest.raises(NotSignedIn):
        Client(server.url, token="bad").sites()
    with pytest.raises(NotSignedIn, match="wrong"):
        Client(server.url, username="ana", password="no").sites()
    with pytest.raises(Unreachable, match="does not answer"):
        Client("http://127.0.0.1:1", token="good").sites()


def test_a_secret_is_never_shown(server):
    assert "good" not in repr(Client(server.url, token="good"))


def test_an_address_or_an_identity_that_cannot_be_used_is_refused_at_once():
    with pytest.raises(ValueError, match="either token"):
        Client("http://127.0.0.1:8000")
    with pytest.raises(ValueError, match="not an address"):
        Client("127.0.0.1:8000", token="x")
