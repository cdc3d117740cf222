"""Addresses of the scheduling context."""

from __future__ import annotations

from django.urls import path

from yuheng.scheduling.views import absences, board, promises, scenarios, settings

app_name = "scheduling"
urlpatterns = [
    path("dispatch/", board.dispatch, name="dispatch"),
    path("dispatch/board", board.board_columns, name="board"),
    path("dispatch/jobs/<int:job_order_id>/why", board.why_there, name="why"),
    path("dispatch/now", board.dispatch_now, name="dispatch_now"),
    path("dispatch/advice", board.advice, name="advice"),
    path("dispatch/danger", board.danger, name="danger"),
    path("dispatch/plan", board.make_plan, name="make_plan"),
    path("dispatch/undo", board.undo, name="undo"),
    path("dispatch/scenarios/<int:scenario_id>", board.act_on_scenario, name="act_on_scenario"),
    path("dispatch/what-if/", scenarios.scenario_list, name="scenarios"),
    path("dispatch/what-if/rows", scenarios.scenario_rows, name="scenario_rows"),
    path("dispatch/what-if/ask", scenarios.ask, name="ask_scenario"),
    path("dispatch/what-if/compare", scenarios.compare, name="compare"),
    path("dispatch/what-if/<int:scenario_id>", scenarios.scenario, name="scenario"),
    path("dispatch/promise", promises.promise, name="promise"),
    path("dispatch/promises", promises.open_promises, name="open_promises"),
    path("dispatch/absences", absences.absences, name="absences"),
    path("dispatch/absences/<int:absence_id>/over", absences.absence_over, name="absence_over"),
    path("dispatch/settings", settings.settings, name="settings"),
    path("orders/<int:order_id>/outlook", promises.order_outlook, name="order_outlook"),
    path("dispatch/disturbances/<int:disturbance_id>/return", board.say_return, name="say_return"),
    path("dispatch/suggestions/<int:suggestion_id>/accept", board.accept, name="accept"),
    path("dispatch/jobs/<int:job_order_id>/move", board.move_job, name="move"),
]
