"""The contract: what comes in, what goes out, and the topics it travels on.

`reels` and `trends` are the records, `deadletters` what is said of a message that is neither,
`topics` where each lives. `export` writes all of it as JSON Schema and AsyncAPI.
"""
