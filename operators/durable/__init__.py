"""State that survives kill -9: what changed since the last epoch is written, and nothing else.

    Durable -> Book -> segments        what a step's keys write at the end of an epoch
    handle                             what Bytewax keeps of it: where base and deltas lie
    store, sweep                       Bytewax's own store of handles; files that none refers to
    fence                              who may write
    failpoints                         where a test makes it fail

The steps are deterministic, so the input since the last base says all that changed (as the
append-only file of Redis does): it costs nothing while counting, and is small beside the state.
"""
