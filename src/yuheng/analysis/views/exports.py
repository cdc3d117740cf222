"""Values as files, sent while they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from yuheng.analysis import exporting, trend_query
from yuheng.analysis.exporting import BUCKETS_US, Export
from yuheng.analysis.selectors import tags
from yuheng.analysis.views import parts
from yuheng.analysis.views.asking import VIEW, now
from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.names import local_name
from yuheng.people.identity import actor_of


@require_GET
def export(request: HttpRequest) -> StreamingHttpResponse:
    """Send the values of a trend page as a file: ``?format=xlsx&bucket=1m`` (without a bucket, raw)."""
    actor = actor_of(request)
    actor.require(VIEW)
    at = now()
    given = parts.given_of(request)
    query = trend_query.read(given, now=at)
    shown = tags.trend_tags(actor=actor, tag_ids=query.tag_ids, in_units=query.units)
    if not shown:
        raise InvalidInput(_("Choose at least one signal."))
    bucket = given.get("bucket", "")
    if bucket and bucket not in BUCKETS_US:
        raise InvalidInput(
            _("A bucket is one of %(known)s.") % {"known": ", ".join(BUCKETS_US)}, {"bucket": bucket[:20]}
        )
    site = equipment.site(actor=actor, site_id=shown[0].site_id)
    wanted = Export(
        tags=tuple(shown),
        start_us=query.start_us,
        end_us=min(query.end_us, int(at.timestamp() * 1e6)),
        bucket_us=BUCKETS_US.get(bucket),
        zone=site.time_zone,
        site=f"{site.code} {local_name(site)}",
        who=actor.name,
        at=at,
    )
    kind = given.get("format", "csv")
    exporting.check_size(actor=actor, export=wanted, kind=kind)
    content_type, ending = exporting.FORMATS[kind]
    file_name = f"{wanted.name}.{ending}"
    return StreamingHttpResponse(
        streamed(exporting.write(actor=actor, export=wanted, kind=kind)),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{file_name.encode("ascii", "replace").decode()}"'},
    )


async def streamed(parts_of_file: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts as they are made, each in a thread: the server's loop must not wait for them.

    Under ASGI a plain iterator would be read to its end, into memory, before the first byte is sent.
    """
    step = sync_to_async(lambda: next(parts_of_file, None))
    while (part := await step()) is not None:
        yield part
