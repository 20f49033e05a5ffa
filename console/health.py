"""Is this process alive, and can it do its work?"""

import time

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

HEARTBEAT_KEY = "slipway:worker-heartbeat"
HEARTBEAT_MAX_AGE = 30


@require_safe
@never_cache
def alive(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Database, Valkey and the worker's heartbeat; 503 names what is missing and nothing more."""
    checks = {"database": _database(), **_valkey_and_worker()}
    return JsonResponse(checks, status=200 if all(checks.values()) else 503)


def beat() -> None:
    """Called by the worker's periodic task: leaves a sign of life."""
    _valkey().set(HEARTBEAT_KEY, int(time.time()), ex=10 * HEARTBEAT_MAX_AGE)


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _valkey_and_worker() -> dict[str, bool]:
    try:
        seen = _valkey().get(HEARTBEAT_KEY)
    except redis.RedisError:
        return {"valkey": False, "worker": False}
    return {"valkey": True, "worker": seen is not None and time.time() - int(seen) < HEARTBEAT_MAX_AGE}


def _valkey() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
