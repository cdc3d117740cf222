from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from yuheng.connectors.files.readers import (
    RecordingFormat,
    UnreadableRecording,
    read_chunks,
    read_rows,
    recordings_in,
)


def write(tmp_path, text, name="a.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def rows(path, **how):
    return [(row.time_us, row.values) for row in read_rows(path, RecordingFormat(**how))]


def test_a_wide_table_gives_every_column_under_its_name(tmp_path):
    path = write(tmp_path, "time,temp,on,note\n1000,1.5,true,ok\n\n1001,,False,\n1002,nan,,7\n")
    assert rows(path) == [
        (1_000_000_000, [("temp", 1.5), ("on", True), ("note", "ok")]),
        (1_001_000_000, [("on", False)]),
        (1_002_000_000, [("note", 7)]),
    ]


def test_a_long_table_names_its_values(tmp_path):
    path = write(tmp_path, "ts;tag;v\n1000;a;1,5\n1000;b;2\n")
    how = {"layout": "long", "name_column": "tag", "value_column": "v", "decimal": ",", "columns": {"a": "x"}}
    assert rows(path, **how) == [(1_000_000_000, [("x", 1.5)]), (1_000_000_000, [])]


def test_local_times_columns_and_prefixes_follow_the_format(tmp_path):
    path = write(tmp_path, "\ufeffv;datetime;w\n1;2024-11-23 15:07:58;2\n")
    how = {"time_column": "datetime", "time_zone": "Asia/Shanghai", "columns": {"w": "flow"}, "address_prefix": "rig/"}
    assert rows(path, **how) == [(1_732_345_678_000_000, [("rig/flow", 2)])]


def test_gb18030_recordings_are_read(tmp_path):
    path = write(tmp_path, "时间,温度\n1000,1\n", encoding="gb18030")
    assert rows(path, encoding="gb18030") == [(1_000_000_000, [("温度", 1)])]


def test_parquet_gives_the_same_rows(tmp_path):
    times = [datetime(2024, 11, 23, 7, 7, 58, tzinfo=UTC)]
    table = pa.table({"time": pa.array(times, pa.timestamp("ms", "UTC")), "temp": [1.5], "n": [3], "none": [None]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == [(1_732_345_678_000_000, [("temp", 1.5), ("n", 3)])]


def test_a_row_without_a_readable_time_is_handed_on_with_its_trouble(tmp_path):
    path = write(tmp_path, "time,a\nsoon,1\n1000,2\n")
    bad, good = read_rows(path, RecordingFormat())
    assert (bad.number, bad.values, bad.text) == (1, [], "soon,1")
    assert "soon" in bad.trouble
    assert good.values == [("a", 2)]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("", {}),
        ("time,a\n1,2\n", {"time_column": "when"}),
        ("time,a\n1,2\n", {"columns": {"b": "c"}}),
        ("time,a\n1,2\n", {"layout": "long"}),
        ("time,a\n1,2\n", {"encoding": "nonsense"}),
    ],
)
def test_a_file_of_another_format_is_refused_with_a_sentence(tmp_path, text, how):
    with pytest.raises(UnreadableRecording, match=r"a\.csv"):
        rows(write(tmp_path, text), **how)


def test_reading_can_begin_anywhere_and_a_directory_is_read_by_name(tmp_path):
    path = write(tmp_path, "time,a\n" + "".join(f"{1000 + i},{i}\n\n" for i in range(10)))
    chunks = list(read_chunks(path, RecordingFormat(), skip_rows=7, size=2))
    assert [[row.number for row in chunk] for chunk in chunks] == [[8, 9], [10]]
    write(tmp_path, "", "0.csv")
    assert [file.name for file in recordings_in(tmp_path)] == ["0.csv", "a.csv"]
    with pytest.raises(UnreadableRecording):
        recordings_in(tmp_path / "missing.csv")
