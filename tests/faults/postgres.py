"""The test's own database, as other processes reach it: directly, or through a proxy."""

from __future__ import annotations

from urllib.parse import quote

from django.db import connection


def socket_path() -> str:
    return f"{connection.settings_dict['OPTIONS']['host']}/.s.PGSQL.5432"


def database_url(port: int | None = None) -> str:
    """By its Unix socket, or by a proxy on a port of loopback."""
    name, user = connection.settings_dict["NAME"], connection.settings_dict["USER"]
    if port is not None:
        return f"postgresql://{user}@127.0.0.1:{port}/{name}"
    folder = connection.settings_dict["OPTIONS"]["host"]
    return f"postgresql://{user}@/{name}?host={quote(folder, safe='')}"
