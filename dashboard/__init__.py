"""The site that people see. It imports `reports`, never the other way."""

from dashboard.celery import app as celery_app

__all__ = ["celery_app"]
