"""An elevator and escalator plant: nine areas, 130 work units, about 2,000 tags.

Read `catalogue` (what kinds of machine there are), `plant` (which ones stand where, and what flows through them),
`machines` (what a machine does), `signals` (what its sensors say), in that order.
"""
