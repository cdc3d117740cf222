"""The CP-SAT model and its child process. Use it through `yuheng.engines.schedule.exact`.

The child must start quickly, so nothing here loads the compiled kernels.
"""
