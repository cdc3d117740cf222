# %% [markdown]
# # The last good cycles of a machine, and what its stops cost
#
# > 中文提要：用 `yuheng.client` 取一台设备最近的合格循环，叠加曲线，找出异常的循环，并统计停机原因。
#
# A notebook in the percent format: Jupyter, VS Code and Spyder open it cell by cell; `python` runs it whole.
# It needs a running installation and a token (page *Account*, scope `telemetry.view`):
#
# ```sh
# export YUHENG_NOTEBOOK_URL=http://127.0.0.1:8000 YUHENG_NOTEBOOK_TOKEN=yh_… YUHENG_NOTEBOOK_UNIT=L04
# ```

# %%
import os
from datetime import UTC, datetime, timedelta

import pandas as pd

from yuheng.client import Client

plant = Client(os.environ["YUHENG_NOTEBOOK_URL"], token=os.environ["YUHENG_NOTEBOOK_TOKEN"])
unit = os.environ["YUHENG_NOTEBOOK_UNIT"]
end = pd.Timestamp(os.environ.get("YUHENG_NOTEBOOK_END") or datetime.now(UTC))
start = end - timedelta(hours=8)

# %% [markdown]
# ## Which signals it has

# %%
tags = plant.tags(work_unit=unit)
numbers = tags[tags["data_type"] == "float"]
signal = numbers["name"].iloc[0]
tags[["name", "unit", "role", "data_type"]]

# %% [markdown]
# ## The last 20 good cycles
# A cycle goes from one count to the next. `unless="reject > 0"` would leave out those in which a part was rejected.

# %%
cycles = plant.cycles(unit, start, end, tags=[signal], last=20)
cycles.set_index("start")[["seconds", f"{signal} avg", f"{signal} max"]].round(2)

# %% [markdown]
# ## Laid over each other
# Each curve counts from the start of its cycle. The band of the others, and how far the newest one leaves it:

# %%
curves = plant.overlay([signal], cycles, width=120)
table = curves.assign(value=(curves["min"] + curves["max"]) / 2).pivot(index="seconds", columns="cycle", values="value")
table = table.ffill()
newest = table.columns.max()
others = table.drop(columns=newest)
band = pd.DataFrame({"least": others.min(axis=1), "median": others.median(axis=1), "most": others.max(axis=1)})
outside = (table[newest] < band["least"]) | (table[newest] > band["most"])
print(f"The newest cycle lies outside of the others in {outside.mean():.0%} of its time.")

# %% [markdown]
# ## Numbers about the shift

# %%
numbers_of = plant.statistics([signal], start, end).set_index("name")
numbers_of[["mean", "time_weighted_mean", "std", "p5", "median", "p95", "integral", "integral_unit"]].T

# %% [markdown]
# ## What the stops cost, by reason

# %%
site = plant.sites()["code"].iloc[0]
stops = plant.stops(site, start, end)
reasons = plant.reasons(site).set_index("code")["name_en"] if len(plant.reasons(site)) else pd.Series(dtype=str)
named = stops.assign(reason=stops["reason"].map(reasons).fillna("no reason given"))
pareto = named.groupby("reason")["seconds"].agg(["sum", "count"]).sort_values("sum", ascending=False)
print(pareto.round(0))
