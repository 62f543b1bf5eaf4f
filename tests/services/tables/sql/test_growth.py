"""What a query takes inside counts: the growth of the process beside what others account for."""

from __future__ import annotations

import pytest

from sidecar.services.sessions import Sessions
from sidecar.services.tables.sql import growth
from sidecar.services.tables.sql.growth import SLACK_BYTES, Growth

MIB = 1024 * 1024


class System:
    """Tells any size of the process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes: int | None = 100 * MIB
        monkeypatch.setattr(growth, "resident_bytes", lambda: self.bytes)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


def test_growth_beyond_the_slack_counts(system: System) -> None:
    sessions = Sessions(1000 * MIB)
    with sessions.claim("query") as claim:
        measured = Growth(sessions, claim)
        for grown, counted in ((0, 0), (SLACK_BYTES, 0), (SLACK_BYTES + 7, 7), (-MIB, 0)):
            system.bytes = 100 * MIB + grown
            assert measured.bytes() == counted


def test_what_others_account_for_is_theirs_and_what_it_claims_its_own(system: System) -> None:
    sessions = Sessions(1000 * MIB)
    with sessions.claim("load") as load, sessions.claim("query") as claim:
        measured = Growth(sessions, claim)
        load.hold(300 * MIB)
        claim.hold(50 * MIB)
        system.bytes = 100 * MIB + 300 * MIB + 50 * MIB + SLACK_BYTES
        assert measured.bytes() == 50 * MIB


@pytest.mark.parametrize("limit", [None, 1000 * MIB])
def test_nothing_counts_without_a_limit_or_a_figure(system: System, limit: int | None) -> None:
    sessions = Sessions(limit)
    with sessions.claim("query") as claim:
        measured = Growth(sessions, claim)
        system.bytes = None if limit else 1000 * MIB
        assert measured.bytes() == 0
