"""The relational part of a backup: ``pg_dump`` of one snapshot, with counts and digests of the same snapshot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from yuheng.config.backup.manifest import BackupRefused
from yuheng.config.supervisor.postgres import binaries

DUMP = "relational.dump"
_WORDS = 600


def size_of(url: str) -> int:
    """Return the bytes of the database on disk: more than its dump will take."""
    with psycopg.connect(url, connect_timeout=10) as session:
        found = session.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(found[0]) if found else 0


def dump(url: str, path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any], str]:
    """Write a dump of one moment while others go on writing.

    Returns
    -------
    tuple
        Digest of every table, newest migration of every app, version of the server.

    Raises
    ------
    BackupRefused
        ``pg_dump`` failed; the sentence has its words.
    """
    with psycopg.connect(url, connect_timeout=10) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = _one(session, "SELECT pg_export_snapshot()")
        tables = digests(session)
        migrations = applied(session)
        version = str(_one(session, "SHOW server_version"))
        words = ["--format=custom", "--compress=3", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
        _run("pg_dump", url, [*words, f"--file={path}"])
    return tables, migrations, version


def restore(url: str, path: Path) -> None:
    """Fill an empty database from a dump. Raises `BackupRefused`."""
    _run("pg_restore", url, ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(path)])


def is_empty(url: str) -> bool:
    """Return whether a database has no table of anybody."""
    with psycopg.connect(url, connect_timeout=10) as session:
        return not _one(session, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")


def applied(session: psycopg.Connection[Any]) -> dict[str, Any]:
    """Return app -> newest applied migration, by name; empty before the first migration."""
    if not _one(session, "SELECT to_regclass('public.django_migrations') IS NOT NULL"):
        return {}
    return dict(session.execute("SELECT app, max(name) FROM django_migrations GROUP BY app").fetchall())


def digests(session: psycopg.Connection[Any]) -> dict[str, dict[str, Any]]:
    """Return table -> rows and a digest: the sum of a 64-bit hash of every row's text, whatever their order."""
    session.execute("SET LOCAL timezone = 'UTC'")
    session.execute("SET LOCAL datestyle = 'ISO'")
    names = [
        str(row[0])
        for row in session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    ]
    found = {}
    for name in names:
        query = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {} AS t")
        row = session.execute(query.format(sql.Identifier(name))).fetchone()
        found[name] = {"rows": int(row[0]), "digest": str(row[1])} if row else {"rows": 0, "digest": "0"}
    return found


def differences(url: str, expected: dict[str, dict[str, Any]]) -> list[str]:
    """Return one sentence for each table that is not as it was when the backup was taken."""
    with psycopg.connect(url, connect_timeout=10) as session:
        found = digests(session)
    return [
        f"{name}: {expected.get(name, {}).get('rows', 'no')} rows in the backup, "
        f"{found.get(name, {}).get('rows', 'no')} restored"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def adopt_streams(url: str, made_at: Mapping[str, tuple[str, str]]) -> None:
    """Let remembered positions in streams hold for their copies: (when made before, when made now) by stream.

    Without it, what the worker took in before the backup would look new, and be counted a second time.
    """
    with psycopg.connect(url, connect_timeout=10) as session:
        for stream, (before, now) in made_at.items():
            session.execute(
                "UPDATE telemetry_logposition SET stream_made_at = %s WHERE stream = %s AND stream_made_at = %s",
                (now, stream, before),
            )


def _one(session: psycopg.Connection[Any], query: str) -> Any:
    row = session.execute(query).fetchone()  # type: ignore[call-overload,unused-ignore]
    return row[0] if row else None


def _run(program: str, url: str, words: list[str], *, run: Callable[..., Any] = subprocess.run) -> None:
    """Run a client program; its password goes through the environment, where other users do not see it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    address = urlunsplit((parts.scheme, user + host, parts.path, parts.query, ""))
    environment = os.environ | ({"PGPASSWORD": unquote(parts.password)} if parts.password else {})
    command = [str(binaries() / program), f"--dbname={address}", *words]
    done = run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupRefused(f"{program} failed: {' '.join(done.stderr.split())[-_WORDS:]}")
