"""Small parts are merged in lots: set once, where the engine knows the settings."""

from yuheng.historian import schema


def engines(store):
    return dict(store.rows("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"))


def test_tables_that_are_written_every_second_are_merged_in_lots(store, monkeypatch):
    found = engines(store)
    for table in schema.MERGED_LESS:
        assert all(f"{name} = {value}" in found[table] for name, value in schema.MERGING.items()), table
    commands = []
    monkeypatch.setattr(store, "command", lambda sql, *_more: commands.append(sql))
    store.migrate()
    assert not [sql for sql in commands if "MODIFY SETTING" in sql]


def test_an_engine_that_does_not_know_a_setting_goes_without_it(store, monkeypatch):
    monkeypatch.setattr(schema, "MERGING", {"merge_selector_window_size": "999", "no_such_setting": "1"})
    commands = []
    monkeypatch.setattr(store, "command", lambda sql, *_more: commands.append(sql))
    store.migrate()
    assert "ALTER TABLE samples MODIFY SETTING merge_selector_window_size = 999" in commands
    assert not [sql for sql in commands if "no_such_setting" in sql]
