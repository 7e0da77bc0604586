from hypothesis import settings

# The same examples in every run, without a store of earlier ones; how long one takes depends on what else runs.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")
