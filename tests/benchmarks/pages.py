"""Pages of 256 rows and 8 columns at random places: in the table's order and sorted, of 1 M and of 10 M rows."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from sidecar.client import Host, Sort
from sidecar.client.tables import Page
from sidecar.protocol.messages import Request, Result
from sidecar.services.polars import pl
from sidecar.wire.framing import encode

from .data import ipc, table
from .harness import Line, Pair, RawPeer, at_most, in_turns, seconds, shown

PAGE_ROWS = 256
PLAIN_REACH_S = 0.3e-3
SORTED_REACH_S = 0.5e-3
FLAT_REACH = 1.5
SORT_COLUMN = "ratio"


class Sizes(NamedTuple):
    """What a page's request and answer take on the wire, in bytes."""

    request: int
    answer: int


class Pages:
    """One table in the sidecar, and the pages of it."""

    def __init__(self, host: Host, rows: int) -> None:
        self.rows = rows
        self._host = host
        self._random = Random(1)
        data = table(rows)
        self._sort_values = pl.Series(SORT_COLUMN, data.column(SORT_COLUMN))
        self._session = host.load(arrow=ipc(data)).session

    def plain(self) -> Page:
        """A page at a random start."""
        return self._page()

    def sorted(self) -> Page:
        """The same of the sorted table."""
        return self._page(Sort(SORT_COLUMN))

    def sort_anew(self, descending: bool) -> Page:
        """A sorted page whose order is not yet known: only once for either direction."""
        return self._page(Sort(SORT_COLUMN, descending, nulls_last=False))

    def sort_here(self, descending: bool) -> None:
        """What such a page cannot do without: the sort itself, in this process."""
        frame = self._sort_values.to_frame().lazy().with_row_index("row")
        frame.sort(SORT_COLUMN, descending=descending, maintain_order=True).select("row").collect()

    def sizes(self) -> Sizes:
        """Bytes of one page's exchange."""
        params = {"session": self._session, "start": 1, "stop": 257, "format": "arrow"}
        answer = encode(Result(1, self.plain()))
        return Sizes(len(encode(Request(1, "tables/rows", params))[0]), sum(memoryview(part).nbytes for part in answer))

    def _page(self, *sort: Sort) -> Page:
        start = self._random.randrange(self.rows - PAGE_ROWS)
        return self._host.tables.rows(self._session, start, start + PAGE_ROWS, sort=sort)


def lines(quick: bool) -> list[Line]:
    """Each kind of page against raw pipes that carry the same bytes, then large against small."""
    small_rows, large_rows = (100_000, 1_000_000) if quick else (1_000_000, 10_000_000)
    found: list[Line] = []
    with Host.spawn() as host:
        small, large = Pages(host, small_rows), Pages(host, large_rows)
        sizes = large.sizes()
        request = memoryview(bytes(sizes.request))
        first = [_first_sorted(pages) for pages in (small, large)]
        with RawPeer(*sizes) as raw:

            def reference() -> None:
                raw.exchange(request)

            turns = {"rounds": 5 if quick else 15, "block": 100}
            for pages in (small, large):
                for what, page, reach_s in (
                    ("page", pages.plain, PLAIN_REACH_S),
                    ("sorted page", pages.sorted, SORTED_REACH_S),
                ):
                    found.append(_page_line(what, pages, in_turns(reference, page, **turns), reach_s))
        flat = f"{_count(large_rows)} against {_count(small_rows)}"
        found.append(at_most(f"page, {flat}", in_turns(small.plain, large.plain, **turns), FLAT_REACH))
        found.append(at_most(f"sorted page, {flat}", in_turns(small.sorted, large.sorted, **turns), FLAT_REACH))
    for pages, pair in zip((small, large), first, strict=True):
        found.append(at_most(f"first sorted page, {_count(pages.rows)}", pair, None, "the sort alone "))
    return found


def _first_sorted(pages: Pages) -> Pair:
    """Both directions, in turns, after the first use of Polars on either side is paid for."""
    pages.sorted()
    pages.sort_here(False)
    here = [seconds(lambda: pages.sort_here(True)), seconds(lambda: pages.sort_here(False))]
    anew = [seconds(lambda: pages.sort_anew(True)), seconds(lambda: pages.sort_anew(False))]
    return Pair(sum(here) / 2, sum(anew) / 2)


def _page_line(what: str, pages: Pages, pair: Pair, reach_s: float) -> Line:
    row = f"{what} of {_count(pages.rows)}, p50"
    ok = pair.ours_s <= reach_s
    return Line(row, f"raw {shown(pair.reference_s)}", shown(pair.ours_s), pair.ratio, f"≤ {reach_s * 1e3:g} ms", ok)


def _count(rows: int) -> str:
    return f"{rows // 1_000_000} M" if rows >= 1_000_000 else f"{rows // 1000} k"
