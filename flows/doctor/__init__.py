"""`groundswell doctor`: looks at all that a run needs, and says how to mend it."""
