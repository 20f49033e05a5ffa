"""Log lines of a replica, asked for at the cluster at the moment when somebody looks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deployments.clusters.access import access_of
from deployments.kube.client import connect
from deployments.kube.errors import KubeError, NotFound
from deployments.models import Deployment
from deployments.vocabulary import Tone

LINES = 200
LONGEST_LINE = 2000

_BAD = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|Traceback|[A-Za-z]*Error:)", re.ASCII)
_WARN = re.compile(r"\bWARN(?:ING)?\b", re.ASCII)
# Terminal colours and other control characters mean nothing in a page.
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    tone: Tone | None = None
    """Set on lines that matter."""


@dataclass(frozen=True, slots=True)
class Log:
    """Lines, or why there are none."""

    lines: tuple[Line, ...] = ()
    title: str = ""
    reason: str = ""
    unreachable: bool = False


def read(deployment: Deployment, pod: str, *, container: str = "", previous: bool = False) -> Log:
    """The last lines of a replica's engine, or of its run before; never raises for what a cluster may answer.

    `container` is the engine's where the pod has several: the API wants it named then.
    """
    try:
        with connect(access_of(deployment.endpoint.cluster)) as cluster:
            text = cluster.logs(
                deployment.endpoint.namespace,
                pod,
                container=container,
                previous=previous,
                tail_lines=LINES,
            )
    except NotFound:
        return Log(title=f"{pod} is gone", reason="The replica was replaced or removed. Choose another one.")
    except KubeError as error:
        if error.status is not None and error.status < 500 and error.status != 401 and error.status != 403:
            title = "There is no previous run" if previous else "No output yet"
            return Log(title=title, reason=str(error))
        return Log(title="The log cannot be read", reason=f"{error} {error.remedy}".strip(), unreachable=True)
    return Log(lines=tuple(map(line, text.splitlines()[-LINES:])))


def line(text: str) -> Line:
    """One line without control characters, with a tone when it reports trouble."""
    clean = _CONTROL.sub("", text)[:LONGEST_LINE]
    tone = Tone.BAD if _BAD.search(clean) else Tone.WARN if _WARN.search(clean) else None
    return Line(clean, tone)
