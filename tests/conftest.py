"""What all tests share: how hypothesis behaves."""

from hypothesis import settings

# The build machine is shared and slow at times: a deadline an example would only measure that.
settings.register_profile("groundswell", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("groundswell")
