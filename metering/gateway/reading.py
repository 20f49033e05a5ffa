"""Reads a snapshot from Postgres: a statement for the keys, one for the routes, and one for new revisions."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from deployments import document, reach
from deployments.context import SizingFacts
from deployments.engines.memory import context_length
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DesiredState, Engine, LimitScope, Reach, Routing, Sharing, TlsMode
from metering.gateway.snapshot import Key, Keys, Limits, Route, Routes

_KEYS = """
SELECT key.id, key.digest, key.organization_id, key.user_id, key.all_deployments,
       coalesce(extract(epoch FROM key.expires_at), 0)::float8 AS expires,
       CASE WHEN NOT key.all_deployments THEN ARRAY(
           SELECT deployment_id FROM metering_apikey_deployments WHERE apikey_id = key.id
       ) END AS deployments,
       organization.suspended_at IS NOT NULL AS suspended
FROM metering_apikey AS key
JOIN console_organization AS organization ON organization.id = key.organization_id
JOIN console_user AS person ON person.id = key.user_id AND person.is_active
JOIN console_membership AS member
    ON member.user_id = key.user_id AND member.organization_id = key.organization_id
WHERE key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > now())
"""

_ROUTES = """
SELECT deployment.id, deployment.name, deployment.sharing, deployment.desired_state,
       floor(extract(epoch FROM deployment.created_at))::bigint AS created,
       revision.id AS revision_id, revision.number AS revision, revision.document #> '{spec,engine}' AS engine,
       model.slug AS model, model.context_length,
       endpoint.hostname, endpoint.namespace, endpoint.routing, endpoint.tls, endpoint.tls_certificate,
       endpoint.listener_tls, endpoint.listener_port,
       cluster.kind AS cluster_kind, cluster.reach,
       coalesce(observation.upstreams, '[]'::jsonb) AS upstreams,
       coalesce(mode.shadow, false) AS shadow,
       (SELECT id FROM deployments_price WHERE deployment_id = deployment.id AND effective_from <= now()
        ORDER BY effective_from DESC, id DESC LIMIT 1) AS price_id,
       ARRAY(SELECT organization_id FROM deployments_share WHERE deployment_id = deployment.id) AS organizations,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(scope, requests_per_minute, tokens_per_minute)), '[]'::jsonb)
        FROM deployments_ratelimit WHERE deployment_id = deployment.id) AS limits,
       (SELECT coalesce(jsonb_agg(
            jsonb_build_array(organization_id, scope, requests_per_minute, tokens_per_minute)), '[]'::jsonb)
        FROM metering_limitoverride WHERE deployment_id = deployment.id) AS overrides
FROM deployments_deployment AS deployment
JOIN deployments_revision AS revision ON revision.id = deployment.current_id
JOIN deployments_catalogmodel AS model ON model.id = deployment.model_id
JOIN deployments_endpoint AS endpoint ON endpoint.id = deployment.endpoint_id
JOIN deployments_cluster AS cluster ON cluster.id = endpoint.cluster_id
LEFT JOIN deployments_observation AS observation ON observation.deployment_id = deployment.id
LEFT JOIN metering_limitmode AS mode ON mode.deployment_id = deployment.id
WHERE deployment.desired_state <> 'deleted'
"""

#: Engines that report usage in every event when they are asked to; others might refuse a request that asks.
_CONTINUOUS = frozenset({Engine.VLLM, Engine.NIM})


async def read_keys(connection: psycopg.AsyncConnection[Any]) -> Keys:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_KEYS)
        return Keys(
            {
                row["digest"]: Key(
                    id=row["id"],
                    organization_id=row["organization_id"],
                    user_id=row["user_id"],
                    expires=row["expires"],
                    deployments=None if row["all_deployments"] else frozenset(row["deployments"]),
                    is_suspended=row["suspended"],
                )
                async for row in cursor
            }
        )


class RouteReader:
    """Reads routes; remembers what revisions say, which never changes."""

    def __init__(self) -> None:
        self._specs: dict[int, DeploymentSpec | None] = {}

    async def read(self, connection: psycopg.AsyncConnection[Any]) -> Routes:
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_ROUTES)
            rows = await cursor.fetchall()
            await self._learn(cursor, {row["revision_id"] for row in rows})
        return Routes({row["name"]: _route(row, self._specs[row["revision_id"]]) for row in rows})

    async def _learn(self, cursor: psycopg.AsyncCursor[Any], wanted: set[int]) -> None:
        for gone in self._specs.keys() - wanted:
            del self._specs[gone]
        if missing := list(wanted - self._specs.keys()):
            await cursor.execute(
                "SELECT id, document FROM deployments_revision WHERE id = ANY(%s)", [missing]
            )
            async for row in cursor:
                self._specs[row["id"]] = _spec(row["document"])


def _spec(mapping: dict[str, Any]) -> DeploymentSpec | None:
    """None for a document that this version cannot read; the deployment serves all the same."""
    try:
        return document.from_mapping(mapping)
    except document.InvalidDocument:
        return None


def _route(row: dict[str, Any], spec: DeploymentSpec | None) -> Route:
    catalogue = SizingFacts(context_length=row["context_length"])
    return Route(
        deployment_id=row["id"],
        name=row["name"],
        revision=row["revision"],
        model=row["model"],
        created=row["created"],
        state=DesiredState(row["desired_state"]),
        sharing=Sharing(row["sharing"]),
        organizations=frozenset(row["organizations"]),
        upstreams=reach.base_urls(
            is_sandbox=row["cluster_kind"] == "sandbox",
            reach=Reach(row["reach"]),
            observed=row["upstreams"],
            name=row["name"],
            engine=row["engine"],
            namespace=row["namespace"],
            hostname=row["hostname"],
            routing=Routing(row["routing"]),
            tls=TlsMode(row["tls"]),
            listener_tls=row["listener_tls"],
            listener_port=row["listener_port"],
        ),
        reports_continuously=row["engine"]["kind"] in _CONTINUOUS,
        context=(context_length(spec, catalogue) if spec else row["context_length"]) or 0,
        price_id=row["price_id"],
        certificate=row["tls_certificate"] if row["tls"] == TlsMode.PEM else "",
        shadow=row["shadow"],
        limits=_limits(row["limits"]),
        overrides=_overrides(row["overrides"]),
    )


def _limits(rows: list[Any]) -> Limits:
    return {LimitScope(scope): (requests, tokens) for scope, requests, tokens in rows}


def _overrides(rows: list[Any]) -> dict[int, Limits]:
    found: dict[int, Limits] = {}
    for organization, scope, requests, tokens in rows:
        found.setdefault(organization, {})[LimitScope(scope)] = (requests, tokens)
    return found
