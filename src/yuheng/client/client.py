"""Questions to Yuheng, answered as pandas dataframes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from yuheng.client.errors import NotFound, Refused
from yuheng.client.transport import Transport

type_moment: TypeAlias = str | datetime | pd.Timestamp
type_tags: TypeAlias = int | str | Iterable[int | str] | pd.DataFrame

PAGE_ROWS = 100_000
"""Rows a request: an answer has to fit one message of the bus (16 MB), texts included."""
PAGE_TAGS = 1_000
TAGS_A_REQUEST = 500
_BUCKET_UNITS = {"ms": "ms", "s": "s", "sec": "s", "m": "m", "min": "m", "h": "h", "hour": "h", "d": "d", "day": "d"}


class Client:
    """A connection to one installation, with the rights of one person.

    Parameters
    ----------
    url
        Address of the pages, such as ``http://127.0.0.1:8000``.
    token
        An API token, made on the page *Account*; or give ``username`` and ``password``.
    timeout_s
        How long one request may take.

    Notes
    -----
    Moments are ISO 8601 text with a zone, ``datetime`` with a zone, or pandas time stamps with a zone; all answers are
    in UTC. Tags are named by id, by ``"L01.power_kw"`` (work unit and symbol), by their address, or by a frame that
    `tags` returned. Every method raises subclasses of `YuhengError`.

    Examples
    --------
    ::

        plant = Client("http://127.0.0.1:8000", token="yh_…")
        frame = plant.history(["L01.power_kw"], "2026-11-23T08:00+08:00", "2026-11-23T20:00+08:00", bucket="1min")
        frame.pivot(index="time", columns="name", values="avg").plot()
    """

    def __init__(
        self, url: str, *, token: str = "", username: str = "", password: str = "", timeout_s: float = 60.0
    ) -> None:
        self._transport = Transport(url, token=token, username=username, password=password, timeout_s=timeout_s)
        self._known: dict[int, str] = {}  # tag id -> name, of tags already seen
        self._ids: dict[str, int] = {}  # name or address -> tag id

    def __repr__(self) -> str:
        return f"Client({self._transport.url!r})"

    # ---- what there is -------------------------------------------------------------------------------------------

    def sites(self) -> pd.DataFrame:
        """Return the sites you may see: id, code, name_zh, name_en, time_zone."""
        return pd.DataFrame(self._transport.get_json("/sites", {}))

    def work_units(self, site: int | str | None = None) -> pd.DataFrame:
        """Return the work units of a site (id or code), or of all sites you may see."""
        frames = [
            pd.DataFrame(self._transport.get_json(f"/sites/{site_id}/work-units", {})).assign(site_id=site_id)
            for site_id in self._site_ids(site)
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def tags(
        self,
        *,
        site: int | str | None = None,
        work_unit: str | None = None,
        text: str = "",
        role: str | None = None,
        data_type: str | None = None,
    ) -> pd.DataFrame:
        """Return tags as rows: id, name, work_unit, symbol, role, unit, data_type, address, source, names and more.

        Parameters
        ----------
        site
            Id or code.
        work_unit
            Code of a work unit.
        text
            Looked for in address, names, symbol and work unit.
        role, data_type
            Exactly these.
        """
        wanted = {"text": text or work_unit or "", "role": role, "data_type": data_type}
        rows: list[dict[str, object]] = []
        for site_id in self._site_ids(site) if site is not None else [None]:
            rows += self._tag_pages({**wanted, "site_id": site_id})
        for row in rows:
            row["name"] = self._remember(row)
        frame = pd.DataFrame(rows)
        if work_unit is not None and len(frame):
            frame = frame[frame["work_unit"] == work_unit].reset_index(drop=True)
        return frame

    # ---- values --------------------------------------------------------------------------------------------------

    def latest(self, tags: type_tags, *, at: type_moment | None = None) -> pd.DataFrame:
        """Return the newest value of each tag: name, tag, time, value, text, quality, arrived.

        ``at``: as it was known at that moment.
        """
        moment = None if at is None else _moment(at, "at").isoformat()
        tables = [
            self._transport.get_table("/history/latest", {"tags": _joined(part), "at": moment})
            for part in _parts(self._tag_ids(tags))
        ]
        return self._frame(pa.concat_tables(tables))

    def history(self, tags: type_tags, start: type_moment, end: type_moment, bucket: str | None = None) -> pd.DataFrame:
        """Return what tags said in ``[start, end)``, in long form, ordered by tag and time.

        Parameters
        ----------
        bucket
            None: every value as it came, with columns name, tag, time, seq, value, text, quality, arrived.
            Else a width such as ``"1min"``, ``"15min"``, ``"1h"``, ``"1d"``: name, tag, time (start of the bucket),
            min, max, avg, count, first, last, time_weighted_avg, good_count.

        Notes
        -----
        Large ranges are fetched page by page; the rows of one tag come from one or more requests.
        """
        first, last = _moment(start, "start"), _moment(end, "end")
        if last <= first:
            raise Refused("The end must be after the start.")
        ids = sorted(self._tag_ids(tags))
        span = {"start": first.isoformat(), "end": last.isoformat()}
        if bucket is None:
            tables = [table for part in _parts(ids) for table in self._raw_pages(part, first, last)]
        else:
            asked = {**span, "bucket": _bucket(bucket)}
            tables = [
                self._transport.get_table("/history/aggregate", {"tags": _joined(part), **asked})
                for part in _parts(ids)
            ]
        return self._frame(pa.concat_tables(tables))

    def live(self, site: int | str | None = None) -> pd.DataFrame:
        """Return what every work unit does now: work_unit, state, cause, since, seen."""
        frames = []
        for site_id in self._site_ids(site):
            units = pd.DataFrame(self._transport.get_json("/live", {"site_id": site_id})["units"])
            if len(units):
                names = self.work_units(site_id).set_index("id")["code"]
                units.insert(0, "work_unit", units["work_unit_id"].map(names))
                frames.append(_with_times(units, "since", "seen"))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def states(self, work_unit: int | str, start: type_moment, end: type_moment) -> pd.DataFrame:
        """Return the states of a work unit (id or code) that touch ``[start, end)``: state, cause, start, end.

        ``end`` is missing (NaT) while the state lasts.
        """
        span = {"start": _moment(start, "start").isoformat(), "end": _moment(end, "end").isoformat()}
        found = self._transport.get_json("/states", {"work_unit_ids": self._work_unit_id(work_unit), **span})
        intervals = [interval for unit in found for interval in unit["intervals"]]
        frame = pd.DataFrame(intervals, columns=["state", "cause", "start", "end"])
        return _with_times(frame, "start", "end")

    # ---- what happened -------------------------------------------------------------------------------------------

    def cycles(
        self,
        work_unit: int | str,
        start: type_moment,
        end: type_moment,
        *,
        tags: type_tags = (),
        condition: str = "",
        unless: str = "",
        last: int = 0,
        min_s: float = 0.0,
        max_s: float = 0.0,
    ) -> pd.DataFrame:
        """Return the cycles of a work unit: start, end, seconds, is_whole, and of each tag ``<name> min/max/avg/…``.

        Parameters
        ----------
        condition
            Empty: from one count of its counter to the next. Else where this holds, over the unit's symbols.
        unless
            Leaves out cycles in which this held at any time: ``"reject > 0"`` keeps the good ones.
        last
            Only so many whole ones, the newest; 0: all.
        """
        ids = self._tag_ids(tags) if not isinstance(tags, tuple) or tags else []
        span = {"start": _moment(start, "start").isoformat(), "end": _moment(end, "end").isoformat()}
        asked = {"condition": condition, "unless": unless, "last": last, "min_s": min_s, "max_s": max_s}
        unit_id = self._work_unit_id(work_unit)
        found = self._transport.get_json("/cycles", {"work_unit_id": unit_id, "tags": _joined(ids), **span, **asked})
        rows = []
        for cycle in found["cycles"]:
            row = {name: cycle[name] for name in ("start", "end", "is_whole")}
            for one in cycle["tags"]:
                name = self._known.get(one["tag_id"], str(one["tag_id"]))
                row |= {f"{name} {what}": value for what, value in one.items() if what != "tag_id"}
            rows.append(row)
        frame = _with_times(pd.DataFrame(rows, columns=None if rows else ["start", "end", "is_whole"]), "start", "end")
        frame.insert(2, "seconds", (frame["end"] - frame["start"]).dt.total_seconds())
        return frame

    def overlay(self, tags: type_tags, intervals: pd.DataFrame, *, width: int = 600) -> pd.DataFrame:
        """Return curves counted from their interval's start: name, tag, cycle, seconds, min, max, first, last, count.

        ``intervals`` has the columns start and end, as `cycles` and `stops` return them; ``cycle`` is the row's place.
        """
        if not len(intervals):
            raise Refused("Say which intervals.")
        moments = intervals[["start", "end"]].itertuples(index=False)
        body = {
            "tags": self._tag_ids(tags),
            "intervals": [
                {"start": _moment(row[0], "start").isoformat(), "end": _moment(row[1], "end").isoformat()}
                for row in moments
            ],
            "width": width,
        }
        frame = self._frame(self._transport.post_table("/cycles/overlay", body))
        frame.insert(3, "seconds", frame.pop("offset") / 1e6)
        return frame

    def statistics(
        self,
        tags: type_tags,
        start: type_moment,
        end: type_moment,
        *,
        low: float | None = None,
        high: float | None = None,
    ) -> pd.DataFrame:
        """Return numbers about tags over a time, one row each.

        name, tag, unit, count, good_count, min, max, mean, time_weighted_mean, std, p5, p25, median, p75, p95, first,
        last, covered_s, integral and integral_unit, above_s and below_s (the limits, in the tag's unit).
        """
        span = {"start": _moment(start, "start").isoformat(), "end": _moment(end, "end").isoformat()}
        rows = self._transport.get_json(
            "/statistics", {"tags": _joined(self._tag_ids(tags)), **span, "low": low, "high": high}
        )
        frame = pd.DataFrame(rows).rename(columns={"tag_id": "tag"})
        if len(frame):
            frame.insert(0, "name", [self._known.get(int(tag), "") for tag in frame["tag"]])
        return frame

    def reasons(self, site: int | str | None = None) -> pd.DataFrame:
        """Return the reason tree of a site (of all sites you may see): id, code, parent_code, names, loss, …"""
        frames = [
            pd.DataFrame(self._transport.get_json(f"/sites/{site_id}/reasons", {})).assign(site_id=site_id)
            for site_id in self._site_ids(site)
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def stops(
        self,
        site: int | str,
        start: type_moment,
        end: type_moment,
        *,
        at_least_s: float = 60.0,
        only_unexplained: bool = False,
    ) -> pd.DataFrame:
        """Return stops with their reasons, one row for each part of a stop that has one reason or none.

        work_unit, state, cause, start, end (of the part; ``NaT``: it lasts), seconds lost in the time asked about,
        reason (its code; "" without), comment, given_by, is_conflict.
        """
        span = {"start": _moment(start, "start").isoformat(), "end": _moment(end, "end").isoformat()}
        asked = {"at_least_s": at_least_s, "only_unexplained": only_unexplained}
        rows = []
        for site_id in self._site_ids(site):
            found = self._transport.get_json("/stops", {"site_id": site_id, **span, **asked})
            for stop in found["stops"]:
                head = {name: stop[name] for name in ("work_unit", "state", "cause_text")}
                rows += [
                    head
                    | {name: piece[name] for name in ("start", "end", "reason", "comment", "given_by", "is_conflict")}
                    for piece in stop["pieces"]
                ]
        names = ["work_unit", "state", "cause_text", "start", "end", "reason", "comment", "given_by", "is_conflict"]
        frame = _with_times(pd.DataFrame(rows, columns=names), "start", "end").rename(columns={"cause_text": "cause"})
        low, high = (pd.Timestamp(moment) for moment in span.values())
        lost = frame["end"].clip(upper=high) - frame["start"].clip(lower=low)
        frame.insert(5, "seconds", lost.dt.total_seconds())
        return frame

    def explain(
        self,
        work_unit: int | str,
        start: type_moment,
        reason: str,
        *,
        end: type_moment | None = None,
        comment: str = "",
    ) -> pd.DataFrame:
        """Give the reason (its code) of the stop in which ``start`` lies, or of a part of it; return what is kept."""
        unit_id = self._work_unit_id(work_unit)
        tree = self.reasons()
        found = tree[tree["code"] == reason] if len(tree) else tree
        if not len(found):
            raise NotFound(f"There is no reason {reason!r} that you may give.")
        stretch = {"work_unit_id": unit_id, "start": _moment(start, "start").isoformat()}
        if end is not None:
            stretch["end"] = _moment(end, "end").isoformat()
        body = {"reason_id": int(found["id"].iloc[0]), "comment": comment, "stretches": [stretch]}
        return _with_times(pd.DataFrame(self._transport.post_json("/explanations", body)), "from_at", "until_at")

    # ---- inside --------------------------------------------------------------------------------------------------

    def _raw_pages(self, ids: Sequence[int], start: datetime, end: datetime) -> Iterable[pa.Table]:
        """Yield pages of raw values.

        A page that is full ends somewhere within a tag: that tag goes on from its last time (the rows of that very time
        are dropped here and asked for again), and the tags behind it from the beginning.
        """
        pending = list(ids)
        while pending:
            page = self._raw_page(pending, start, end)
            if len(page) < PAGE_ROWS:
                yield page
                return
            last_tag, last_time = page["tag"][-1].as_py(), page["time"][-1]
            is_again = pc.and_(pc.equal(page["tag"], page["tag"][-1]), pc.equal(page["time"], last_time))
            if pc.all(is_again).as_py():
                raise Refused(f"More than {PAGE_ROWS:,} values of one tag share the time {last_time}.")
            yield page.filter(pc.invert(is_again))
            yield from self._rest_of_tag(last_tag, _as_datetime(last_time), end)
            pending = pending[pending.index(last_tag) + 1 :]

    def _rest_of_tag(self, tag_id: int, since: datetime, end: datetime) -> Iterable[pa.Table]:
        while True:
            page = self._raw_page([tag_id], since, end)
            if len(page) < PAGE_ROWS:
                yield page
                return
            last_time = page["time"][-1]
            if page["time"][0] == last_time:
                raise Refused(f"More than {PAGE_ROWS:,} values of one tag share the time {last_time}.")
            yield page.filter(pc.not_equal(page["time"], last_time))
            since = _as_datetime(last_time)

    def _raw_page(self, ids: Sequence[int], start: datetime, end: datetime) -> pa.Table:
        asked = {"tags": _joined(ids), "start": start.isoformat(), "end": end.isoformat(), "limit": PAGE_ROWS}
        return self._transport.get_table("/history/raw", asked)

    def _frame(self, table: pa.Table) -> pd.DataFrame:
        if "bucket" in table.column_names:
            table = table.rename_columns(["time" if name == "bucket" else name for name in table.column_names])
        frame: pd.DataFrame = table.to_pandas()
        names = {tag_id: self._known.get(int(tag_id), "") for tag_id in frame["tag"].unique()}
        frame.insert(0, "name", frame["tag"].map(names).astype(str))
        return frame

    def _tag_pages(self, wanted: dict[str, object]) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        while True:
            page = self._transport.get_json("/tags", {**wanted, "offset": len(rows), "limit": PAGE_TAGS})
            rows += page["tags"]
            if len(rows) >= page["total"] or not page["tags"]:
                return rows

    def _remember(self, row: dict[str, object]) -> str:
        tag_id = int(str(row["id"]))
        address = str(row["address"])
        name = f"{row['work_unit']}.{row['symbol']}" if row["work_unit"] and row["symbol"] else address
        self._known[tag_id] = name
        self._ids[name] = self._ids[address] = tag_id
        return name

    def _tag_ids(self, tags: type_tags) -> list[int]:
        if isinstance(tags, pd.DataFrame):
            named: list[int | str] = [int(tag_id) for tag_id in tags["id"]]
        else:
            named = [tags] if isinstance(tags, int | str) else list(tags)
        if not named:
            raise Refused("Say which tags.")
        return list(dict.fromkeys(tag if isinstance(tag, int) else self._tag_id(tag) for tag in named))

    def _tag_id(self, name: str) -> int:
        if name not in self._ids:
            unit, _, symbol = name.rpartition(".")
            self.tags(text=unit if unit and "/" not in name and symbol else name)
        if name not in self._ids:
            raise NotFound(f"There is no tag {name!r}; name it like L01.power_kw, or by its address.")
        return self._ids[name]

    def _site_ids(self, site: int | str | None) -> list[int]:
        if isinstance(site, int):
            return [site]
        sites = self._transport.get_json("/sites", {})
        found = [int(row["id"]) for row in sites if site is None or row["code"] == site]
        if not found and site is not None:
            raise NotFound(f"There is no site {site!r} that you may see.")
        return found

    def _work_unit_id(self, work_unit: int | str) -> int:
        if isinstance(work_unit, int):
            return work_unit
        units = self.work_units()
        found = units[units["code"] == work_unit] if len(units) else units
        if len(found) != 1:
            many = f"{len(found)} sites have a work unit {work_unit!r}: give its id."
            raise NotFound(many if len(found) else f"There is no work unit {work_unit!r} that you may see.")
        return int(found["id"].iloc[0])


def _moment(moment: type_moment, name: str) -> datetime:
    try:
        read = pd.Timestamp(moment)
    except ValueError as error:
        raise Refused(f"{name}: {moment!r} is not a moment such as 2026-11-23T08:00+08:00.") from error
    if read is pd.NaT or read.tzinfo is None:
        raise Refused(f"{name}: {moment!s} has no time zone; write for example 2026-11-23T08:00+08:00.")
    moment_utc: datetime = read.tz_convert("UTC").to_pydatetime()
    return moment_utc


def _as_datetime(scalar: pa.Scalar) -> datetime:
    """Return an Arrow time stamp as an aware datetime; microseconds are all that the store keeps."""
    since_1970 = timedelta(microseconds=scalar.cast(pa.timestamp("us", tz="UTC")).value)
    return datetime.fromtimestamp(0, UTC) + since_1970


def _bucket(text: str) -> str:
    """Write a bucket as the API wants it.

    Examples
    --------
    >>> _bucket("1min"), _bucket("15m"), _bucket("1h"), _bucket("d")
    ('1m', '15m', '1h', '1d')
    """
    parts = re.fullmatch(r"\s*(\d*\.?\d*)\s*([a-z]+)\s*", text.lower())
    if parts is None or parts[2] not in _BUCKET_UNITS:
        raise Refused(f"The bucket {text!r} is not a width such as 1min, 15min, 1h or 1d.")
    return f"{parts[1] or 1}{_BUCKET_UNITS[parts[2]]}"


def _parts(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + TAGS_A_REQUEST] for start in range(0, len(ids), TAGS_A_REQUEST)]


def _joined(ids: Iterable[int]) -> str:
    return ",".join(str(tag_id) for tag_id in ids)


def _with_times(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    for column in columns:
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
    return frame
