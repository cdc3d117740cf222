"""A demo plant makes products: customers order, people work at terminals, suppliers deliver, machines run the jobs.

Everything is told to Yuheng through its own doors: the REST API with a token, and the terminal's HTTP API as a tablet
speaks it. Nothing here knows a context of Yuheng, and nothing in Yuheng knows that this is a simulation.
"""
