"""The web process: ``gunicorn config.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery's app has to be this process's current one before anything is sent.
from config.celery import app as celery_app  # noqa: F401

application = get_wsgi_application()
