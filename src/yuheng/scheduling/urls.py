"""Addresses of the scheduling context."""

from __future__ import annotations

from django.urls import path

from yuheng.scheduling.views import board

app_name = "scheduling"
urlpatterns = [
    path("dispatch/", board.dispatch, name="dispatch"),
    path("dispatch/now", board.dispatch_now, name="dispatch_now"),
    path("dispatch/plan", board.make_plan, name="make_plan"),
    path("dispatch/undo", board.undo, name="undo"),
    path("dispatch/scenarios/<int:scenario_id>", board.act_on_scenario, name="act_on_scenario"),
    path("dispatch/disturbances/<int:disturbance_id>/return", board.say_return, name="say_return"),
    path("dispatch/suggestions/<int:suggestion_id>/accept", board.accept, name="accept"),
    path("dispatch/jobs/<int:job_order_id>/move", board.move_job, name="move"),
]
