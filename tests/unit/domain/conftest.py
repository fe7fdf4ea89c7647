"""How hypothesis tries the domain: the same examples every time, and no example fails for being slow."""

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
