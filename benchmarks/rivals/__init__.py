"""The detectors that users have today, over the same streams as ours.

`uses` takes a stream apart with the flow's own steps, `series` counts distinct authors by ten
minutes, `counting` and `models` score every signal at every tick from what came before it, and
`alerts` makes alerts of scores: one a trend, as many a day as are asked for.
"""
