"""What the plant would be worth with and without the dispatch loop: experiments on a fast model of the demo's floor.

A discrete-event model of the demo plant, in whole minutes; policies that decide what its stations do, among them the
very code that production uses; runs with common random numbers; and what comes out, with confidence intervals.
"""
