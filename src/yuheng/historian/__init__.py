"""From the durable log to columns and answers. No Django here.

`service` wires the parts; `pipeline` is the way of a reading: `routing` → decoder → `checks` → `latest`, `units`
(states) → `columns` → `committer` → `store`. `answers` and `queries` reply to questions, `live` tells the web,
`rollups` keeps minutes and hours.
"""
