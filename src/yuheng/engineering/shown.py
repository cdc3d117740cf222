"""Kept files as answers of the web process."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpResponse

from yuheng.engineering.selectors import DocumentFile

INLINE = frozenset({"application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"})


def file_response(found: DocumentFile) -> HttpResponse:
    """Answer with a kept file: shown where the browser can, cached for ever (its content never changes)."""
    place = "inline" if found.media_type in INLINE else "attachment"
    return HttpResponse(
        found.content,
        content_type=found.media_type if found.media_type in INLINE else "application/octet-stream",
        headers={
            "Content-Disposition": f"{place}; filename*=UTF-8''{quote(found.name)}",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=31536000, immutable",
            "ETag": f'"{found.sha256}"',
        },
    )
