"""Kontor's settings for workers that are to be killed at chosen points."""

from config import settings

globals().update({name: value for name, value in vars(settings).items() if name.isupper()})
INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.sync.kill_points.apps.KillPointsConfig"]
# So that django-q2's processes say what they are.
LOGGING = {**settings.LOGGING, "loggers": {**settings.LOGGING["loggers"], "django-q": {"level": "INFO"}}}
