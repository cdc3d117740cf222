"""The web process answers a page in one call on one thread; Django's own handler would change threads all the time."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from yuheng.config.web_server import Pages

SEEN: list[str] = []


class Noting(MiddlewareMixin):
    def __call__(self, request):
        assert not self.async_mode
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        SEEN.append("middleware")
        return super().__call__(request)


def page(request):
    SEEN.append("view")
    return HttpResponse("here")


urlpatterns = [path("here", page)]


@pytest.mark.django_db
def test_middleware_and_view_run_as_plain_functions():
    async def ask():
        pages = Pages()
        scope = {"type": "http", "method": "GET", "path": "/here", "query_string": b"", "headers": []}
        caller = ApplicationCommunicator(pages, scope)
        await caller.send_input({"type": "http.request", "body": b"", "more_body": False})
        start = await caller.receive_output(30)
        body = await caller.receive_output(30)
        await caller.wait(30)
        return start["status"], body["body"]

    SEEN.clear()
    noting = f"{__name__}.Noting"
    with override_settings(MIDDLEWARE=[noting, noting], ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"]):
        assert asyncio.run(ask()) == (200, b"here")
    assert SEEN == ["middleware", "middleware", "view"]
