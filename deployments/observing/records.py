"""What the database knows of a cluster's deployments before a look, and how it learns what the look saw.

A fixed number of statements for any number of deployments. Specs are immutable by revision and kept from one pass to
the next, and an observation whose content is unchanged is not written again: only that it was seen.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models import F
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from deployments import document, naming, reach
from deployments.models import Cluster, Deployment, Revision
from deployments.observing.telling import Move, tell
from deployments.seen import Seen, Status, StoredRefusal
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DesiredState, Phase
from deployments.workload import Workload

MOST_SPECS_KEPT = 5000
MOST_REVISIONS_KEPT = 5

_specs: OrderedDict[int, DeploymentSpec] = OrderedDict()


@dataclass(frozen=True, slots=True)
class LastWords:
    """The end of a dead container's log, and which run of which pod it is from."""

    run: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class Known:
    """One deployment: what is wanted, and what the pass before left behind."""

    pk: int
    name: str
    namespace: str
    spec: DeploymentSpec
    revision: int
    desired: DesiredState
    changed_at: datetime
    applied_revision: int
    refusal: StoredRefusal | None
    last_phase: Phase | None
    last_wanted: int
    last_revision: int
    generation: int
    """Of the workload, as it was seen last; 0: never."""
    digest: str
    """Of the observation as it was written last."""
    idle_since: datetime | None = None
    """Since when the operator of its workload has not acted."""
    revisions: dict[str, int] = field(default_factory=dict)
    last_words: dict[str, LastWords] = field(default_factory=dict)
    noted: dict[str, str] = field(default_factory=dict)
    """Versions of its other objects at the pass before (noted.py), by "Kind/name"."""
    versions: dict[str, str] = field(default_factory=dict)
    """The same at this pass."""

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, naming.label_value(self.name)

    def learn_revision(self, workload: Workload | None) -> dict[str, int]:
        """Which of our revisions a controller revision runs; the workload says it of the newest one."""
        if workload is not None and (workload.marks_its_pods or workload.is_observed):
            number, hash = workload.metadata.label(naming.REVISION_LABEL), workload.update_revision
            if hash and number.isascii() and number.isdigit():
                self.revisions.pop(hash, None)
                self.revisions[hash] = int(number)
        while len(self.revisions) > MOST_REVISIONS_KEPT:
            self.revisions.pop(next(iter(self.revisions)))
        return self.revisions


def known_deployments(cluster: Cluster) -> list[Known]:
    """Every deployment on a cluster: one statement, and one more for revisions that were not read before."""
    rows = list(
        Deployment.objects.filter(endpoint__cluster=cluster, current__isnull=False)
        .order_by("pk")
        .values(
            "pk",
            "name",
            "desired_state",
            "changed_at",
            "applied_revision",
            "refusal",
            "current_id",
            namespace=F("endpoint__namespace"),
            number=F("current__number"),
            last_phase=F("observation__phase"),
            last_wanted=F("observation__wanted"),
            last_revision=F("observation__revision"),
            idle_since=KeyTextTransform("idle_since", "observation__details"),
            digest=KeyTextTransform("digest", "observation__details"),
            generation=KeyTransform("generation", "observation__details"),
            known_hashes=KeyTransform("revisions", "observation__details"),
            last_words=KeyTransform("last_words", "observation__details"),
            noted=KeyTransform("noted", "observation__details"),
        )
    )
    specs = _read_specs(row["current_id"] for row in rows)
    return [
        Known(
            pk=row["pk"],
            name=row["name"],
            namespace=row["namespace"],
            spec=specs[row["current_id"]],
            revision=row["number"],
            desired=DesiredState(row["desired_state"]),
            changed_at=row["changed_at"],
            applied_revision=row["applied_revision"],
            refusal=StoredRefusal.from_mapping(row["refusal"]),
            last_phase=Phase(row["last_phase"]) if row["last_phase"] else None,
            last_wanted=row["last_wanted"] or 0,
            last_revision=row["last_revision"] or 0,
            idle_since=datetime.fromisoformat(row["idle_since"]) if row["idle_since"] else None,
            generation=row["generation"] or 0,
            digest=row["digest"] or "",
            # JSON objects come back sorted; the newest revision is the one with the highest number.
            revisions=dict(sorted((row["known_hashes"] or {}).items(), key=lambda item: item[1])),
            last_words={
                pod: LastWords(kept["run"], tuple(kept["lines"]))
                for pod, kept in (row["last_words"] or {}).items()
            },
            noted=row["noted"] or {},
        )
        for row in rows
        if row["current_id"] in specs
    ]


def write(cluster: Cluster, statuses: Sequence[tuple[Known, Seen, Status]], now: datetime) -> None:
    """Writes one pass over a cluster in at most four statements and one transaction, and what is told of it.

    A look that began earlier and ends later than another one does not overwrite it.
    """
    changed: list[dict[str, Any]] = []
    same: list[int] = []
    transitions: list[dict[str, Any]] = []
    moves: list[Move] = []
    scaled: list[dict[str, Any]] = []
    for one, seen, status in statuses:
        kept = _kept(one, seen)
        upstreams = reach.seen_at(seen.pods) if cluster.is_sandbox else []
        content = msgspec.json.encode((status.content, kept, upstreams))
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        if digest == one.digest:
            same.append(one.pk)
            continue
        said = {"deployment_id": one.pk, "sentence": status.sentence, "remedy": status.remedy}
        changed.append(
            {
                **said,
                "phase": status.phase,
                "ready": status.ready,
                "wanted": status.wanted,
                "revision": status.revision,
                "upstreams": upstreams,
                "details": {**status.to_mapping(), **kept, "digest": digest},
            }
        )
        if _is_news(one, status):
            transitions.append(
                {
                    **said,
                    "revision": status.revision,
                    "before": one.last_phase or "",
                    "after": status.phase,
                    "evidence": status.evidence if status.phase.needs_attention else {},
                }
            )
            moves.append(_move(one, status))
        if _has_scaled(one, status):
            scaled.append({"deployment_id": one.pk, "before": one.last_wanted, "after": status.wanted})
    with transaction.atomic(), connection.cursor() as cursor:
        if changed:
            cursor.execute(_WRITE, [_as_json(changed), now, now])
        if same:
            cursor.execute(_SEE_AGAIN, [now, same, now])
        if moves:
            tell(cluster, moves, now)
        if transitions:
            cursor.execute(_REMEMBER, [now, _as_json(transitions)])
        if scaled:
            cursor.execute(_REMEMBER_SCALING, [now, _as_json(scaled)])


def _is_news(one: Known, status: Status) -> bool:
    """Whether the history tells it: another phase, or a new revision that begins in the phase of the one before.

    A revision under which everything stays at rest has moved nothing in the cluster, and has no rollout to tell.
    """
    if status.phase != one.last_phase:
        return True
    return status.revision != one.last_revision and status.phase not in (Phase.SERVING, Phase.STOPPED)


def _move(one: Known, status: Status) -> Move:
    before = one.last_phase or ""
    return Move(one.pk, one.name, status.revision, before, status.phase, status.sentence, status.remedy)


def _has_scaled(one: Known, status: Status) -> bool:
    """Whether the autoscaler wants another number of replicas than at the pass before.

    What people change is a revision, a stop or a start; autoscalers never go to zero, or come from there.
    """
    is_same = status.revision == one.last_revision and one.desired is DesiredState.RUNNING
    is_scaled = status.scaling is not None and one.last_wanted > 0 and status.wanted > 0
    return is_same and is_scaled and status.wanted != one.last_wanted


def _read_specs(ids: Iterable[int]) -> dict[int, DeploymentSpec]:
    """Specs by revision id; a document that this version cannot read is left out, so that it stops nobody else."""
    wanted = list(ids)
    missing = [each for each in wanted if each not in _specs]
    if missing:
        for pk, mapping in Revision.objects.filter(pk__in=missing).values_list("pk", "document"):
            try:
                _specs[pk] = document.from_mapping(mapping)
            except document.InvalidDocument:
                continue
    found = {each: _specs[each] for each in wanted if each in _specs}
    for each in found:
        _specs.move_to_end(each)
    while len(_specs) > max(MOST_SPECS_KEPT, len(found)):
        _specs.popitem(last=False)
    return found


def _kept(one: Known, seen: Seen) -> dict[str, Any]:
    """What the next pass wants to know of this one."""
    alive = {pod.metadata.name for pod in seen.pods}
    return {
        "generation": seen.workload.metadata.generation if seen.workload else 0,
        "noted": one.versions,
        "idle_since": seen.idle_since.isoformat() if seen.idle_since else None,
        "revisions": one.revisions,
        "last_words": {pod: words for pod, words in one.last_words.items() if pod in alive},
    }


def _as_json(rows: list[dict[str, Any]]) -> str:
    """Rows travel as one JSON text: a thousand of them as arrays would be quoted value by value."""
    return msgspec.json.encode(rows).decode()


# Rows of deployments that were deleted meanwhile find no partner in the join, and a look that began earlier than the
# one that was written last changes nothing.
_WRITE = """
INSERT INTO deployments_observation AS old
    (deployment_id, phase, phase_since, sentence, remedy, ready, wanted, revision, upstreams, observed_at, details)
SELECT new.deployment_id, new.phase, seen.at, new.sentence, new.remedy, new.ready, new.wanted, new.revision,
       new.upstreams, seen.at, new.details
FROM jsonb_to_recordset(%s::jsonb) AS new (
    deployment_id bigint, phase text, sentence text, remedy text, ready integer, wanted integer, revision integer,
    upstreams jsonb, details jsonb
)
JOIN deployments_deployment ON deployments_deployment.id = new.deployment_id
CROSS JOIN (SELECT %s::timestamptz AS at) AS seen
ON CONFLICT (deployment_id) DO UPDATE SET
    phase = excluded.phase,
    phase_since = CASE WHEN old.phase = excluded.phase THEN old.phase_since ELSE excluded.phase_since END,
    sentence = excluded.sentence,
    remedy = excluded.remedy,
    ready = excluded.ready,
    wanted = excluded.wanted,
    revision = excluded.revision,
    upstreams = excluded.upstreams,
    observed_at = excluded.observed_at,
    details = excluded.details
WHERE old.observed_at IS NULL OR old.observed_at < %s
"""
_SEE_AGAIN = """
UPDATE deployments_observation SET observed_at = %s WHERE deployment_id = ANY(%s) AND observed_at < %s
"""
_REMEMBER = """
INSERT INTO deployments_transition (deployment_id, revision, before, after, at, sentence, remedy, evidence)
SELECT new.deployment_id, new.revision, new.before, new.after, %s, new.sentence, new.remedy, new.evidence
FROM jsonb_to_recordset(%s::jsonb) AS new (
    deployment_id bigint, revision integer, before text, after text, sentence text, remedy text, evidence jsonb
)
JOIN deployments_deployment ON deployments_deployment.id = new.deployment_id
"""
_REMEMBER_SCALING = """
INSERT INTO deployments_scaled (deployment_id, before, after, at)
SELECT new.deployment_id, new.before, new.after, %s
FROM jsonb_to_recordset(%s::jsonb) AS new (deployment_id bigint, before integer, after integer)
JOIN deployments_deployment ON deployments_deployment.id = new.deployment_id
"""
