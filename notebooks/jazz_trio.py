# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Jazz trio
#
# A guitar, a drummer, and you at the mixing desk.

# %%
from seq2drum.drummer import Drummer

take = Drummer.load().accompany("../examples/jazz_swing.mid")

# %% tags=["keep-output"]
for told in take.explain():
    print(told)
