"""Journal and spool: what was admitted is there after a kill and after a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.events import Event, decode, encode, mint
from metering.gateway import journal as journals
from metering.gateway import spool as spools
from metering.gateway.journal import LONGEST, Full, Journal
from metering.gateway.spool import Spool
from metering.vocabulary import RequestStatus

PROJECT = Path(__file__).parents[3]


def event(**facts: Any) -> Event:
    given = {
        "id": mint(),
        "started": 1_000_000,
        "ended": 1_000_000,
        "deployment_id": 1,
        "deployment": "chat",
        "revision": 1,
        "model": "llama",
        "organization_id": 2,
        "user_id": 3,
        "api_key_id": 4,
        "status": RequestStatus.ENGINE_FAILED,
        "input_tokens": 25,
        "output_tokens": 0,
        "is_estimated": True,
        **facts,
    }
    return Event(**given)


def left(folder: Path) -> list[Event]:
    """What the journals of gateways that are gone hold; the files are removed as the recorder does."""
    found = []
    for _, payloads, path, lock in journals.left_behind(folder):
        found += [decode(payload) for payload in payloads]
        path.unlink()
        os.close(lock)
    return found


def test_the_longest_event_fits_into_its_slot() -> None:
    longest = event(
        deployment="d" * 48,
        model="m" * 63,
        gateway="g" * 29,
        price_id=2**62,
        itl_us=2**62,
        first=2**62,
        started=2**62,
        ended=2**62,
        input_tokens=2**62,
        output_tokens=2**62,
        cached_tokens=2**62,
        organization_id=2**62,
        user_id=2**62,
        api_key_id=2**62,
        deployment_id=2**62,
        revision=2**31,
    )
    assert len(encode(longest)) < LONGEST


def test_a_gateway_that_lives_keeps_its_journal_to_itself(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "one", 4)
    journal.open(event())
    assert list(journals.left_behind(tmp_path)) == []
    journal.close()


def test_an_orderly_end_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "one", 4)
    slot = journal.open(event())
    journal.finish(slot, encode(event()))
    journal.free(slot)
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_journal_says_so_and_forgets_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "one", 2)
    events = [event(), event()]
    for each in events:
        journal.open(each)
    with pytest.raises(Full):
        journal.open(event())
    journal.close()
    assert {each.id for each in left(tmp_path)} == {each.id for each in events}


KILLED = """
import os, signal, sys
from pathlib import Path
from metering.events import encode, decode
from metering.gateway.journal import CACHED, FIRST, INPUT, NEWEST, OUTPUT, Journal
journal = Journal(Path(sys.argv[1]), "gone", 8)
def note(slot, counters):
    cells, at = journal.progress(slot)
    for which, value in counters.items():
        cells[at + which] = value
waiting, asked, under_way, over, free = (decode(bytes.fromhex(text)) for text in sys.argv[2:])
journal.open(waiting)
slot = journal.open(asked)
note(slot, {OUTPUT: 3, FIRST: 1_500_000, NEWEST: 1_700_000})
slot = journal.open(under_way)
note(slot, {INPUT: 20, OUTPUT: 11, CACHED: 5, FIRST: 1_500_000, NEWEST: 2_500_000})
slot = journal.open(over)
journal.finish(slot, encode(over))
slot = journal.open(free)
journal.finish(slot, encode(free))
journal.free(slot)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_had_come_when_a_gateway_was_killed_is_billed(tmp_path: Path) -> None:
    """E18: SIGKILL with requests in every state."""
    events = [event(), event(), event(), event(status=RequestStatus.COMPLETED, input_tokens=9), event()]
    command = [sys.executable, "-c", KILLED, str(tmp_path), *(encode(each).hex() for each in events)]
    ended = subprocess.run(command, cwd=PROJECT, check=False)
    assert ended.returncode == -signal.SIGKILL
    found = {each.id: each for each in left(tmp_path)}
    waiting, asked, under_way, over, _ = events
    assert found.keys() == {waiting.id, asked.id, under_way.id, over.id}
    assert found[over.id] == over

    def facts(each: Event) -> tuple[Any, ...]:
        known = found[each.id]
        assert known.status is RequestStatus.ENGINE_FAILED
        return known.input_tokens, known.output_tokens, known.cached_tokens, known.is_estimated, known.itl_us

    assert facts(waiting) == (0, 0, 0, False, None)  # nothing came, nothing is owed
    assert facts(asked) == (25, 3, 0, True, 100_000)  # the engine had not counted the prompt
    assert facts(under_way) == (20, 11, 5, False, 100_000)
    assert left(tmp_path) == []


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_spool_gives_back_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, items: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, "one")
    for item in items:
        spool.append([item])
    spool.seal()
    found = []
    for path, lock in spools.sealed(folder):
        found += spools.read(path)
        os.close(lock)
    assert found == items


def test_a_file_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "one")
    spool.append([b"event"])
    assert list(spools.sealed(tmp_path)) == []
    spool.seal()
    ((_, lock),) = spools.sealed(tmp_path)
    assert list(spools.sealed(tmp_path)) == []  # somebody reads it
    os.close(lock)


@given(st.integers(0, 60))
def test_a_record_that_is_not_whole_is_left_out(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, "one")
    spool.append([b"a" * 12, b"b" * 12, b"c" * 12])
    spool.seal()
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    assert list(spools.read(path)) == [b"a" * 12, b"b" * 12, b"c" * 12][: (60 - cut) // 20]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from metering.gateway.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
spool = Spool(Path(sys.argv[1]), "one")
refused = 0
for number in range(20):
    try:
        spool.append([b"%03d" % number * 30])
    except OSError:
        refused += 1
print(refused)
"""


def test_a_disk_that_takes_no_more_loses_nothing_that_it_took(tmp_path: Path) -> None:
    """E6: disk full. A refused batch is refused as a whole, and whoever wrote it still has it."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    said = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    (path,) = tmp_path.iterdir()
    kept = list(spools.read(path))
    assert len(kept) == 20 - int(said.stdout) > 0
    assert kept == [b"%03d" % number * 30 for number in range(len(kept))]


def test_ids_sort_by_time_and_never_meet() -> None:
    ids = [mint(1_000 * number) for number in range(1000)]
    assert ids == sorted(ids)
    assert len({mint(7) for _ in range(1000)}) == 1000
    now = mint()
    assert int(now[:12], 16) == pytest.approx(time.time() * 1000, abs=5_000)
    assert now[12] == "7"
    assert now[16] in "89ab"


@pytest.mark.parametrize("data", [b"", b"\x90", b"\xff", b"\x93\x01\x02\x03", b"\xdc\x00\x13\xd9 01a2"])
def test_what_is_no_event_is_not_read_as_one(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(data)
