"""The shell around the product: settings, people, access, and pages that span apps."""

from console.celery import app as celery_app

__all__ = ["celery_app"]
