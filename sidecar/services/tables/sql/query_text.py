"""The text of a query: its tokens, where they stand, and what a query may be made of.

Polars reads files where a query names one of its table functions (`FROM read_csv('…')`), past the path policy, and
has no switch for that. So no query reaches it before this has looked through it. What this takes for a string or a
comment Polars must take for the same; forms of literals over which the two could differ are refused, and comments are
made blank.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from ....protocol.errors import SidecarError

NEAR_CHARS = 40
"""How much of the line is shown on either side of a place."""

Kind = Literal["word", "quoted", "string", "number", "symbol"]

Reason = Literal[
    "syntax", "statement", "complexity", "table_function", "table", "column", "function", "duplicate", "evaluation"
]
"""What is wrong with a query."""

MAX_TERMS = 1000
"""Names and symbols between two commas, with those around the parentheses that they stand in. Polars works on each
operator inside the one before and has no bound: at 3000 terms joined by `+`, and 1500 words INTERVAL, the stack of
8 MiB overflows and ends the process (measured)."""

MAX_TABLES = 200
"""Tables and SELECTs in all, for the same reason: a UNION of 200 SELECTs, each with a table, ends the process."""

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*)
      | (?P<comment>/\*)
      | (?P<string>'(?:[^']|'')*(?P<string_end>')?)
      | (?P<quoted>"(?:[^"]|"")*(?P<quoted_end>")?|`(?:[^`]|``)*(?P<tick_end>`)?)
      | (?P<number>\d+)
      | (?P<word>\w+)
      | (?P<symbol>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# Literals whose end Polars sees elsewhere, by escapes or by taking apart what stands here: a table function could hide
# in what is a string here.
_PREFIXED = re.compile(r"(?:e|n|r|u|q|nq|br|rb|u&)['\"]|x'(?![0-9a-f]*'(?!'))|\d[\w.]*['\"]", re.IGNORECASE)
_FILE_FUNCTION = re.compile(r"(?:read|scan|write|sink)_")

_QUERY_WORDS = frozenset({"select", "with", "values", "from"})
_TABLE_FUNCTIONS = frozenset({"unnest"})  # not `range`, which makes any number of rows in one go: that could end us
_CLAUSES = frozenset(
    {"select", "with", "where", "group", "having", "order", "limit", "offset", "qualify", "window", "values"}
)
_BEFORE_TABLES = frozenset({"from", "join", "lateral"})
_CALLS_WITH_FROM = frozenset({"extract", "trim", "substring", "overlay", "position"})


class Token(NamedTuple):
    """A piece of the query; `name` is what a word or a quoted identifier names, `word` an unquoted one in lower case
    (else empty)."""

    kind: Kind
    text: str
    start: int

    @property
    def name(self) -> str:
        """Without quotes."""
        if self.kind != "quoted":
            return self.text
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote)

    @property
    def word(self) -> str:
        """For what only an unquoted word can be."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def is_name(self) -> bool:
        """Whether it may name something."""
        return self.kind in ("word", "quoted")


class QueryText:
    """A query that has been looked through. Raises `invalid_query` for all but a single query whose tables are
    sessions. `plain` is what Polars may read: the same text with blanks for comments, so that places stay."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = []
        self.plain = self._tokenise()
        self._check_statement()
        self._check_terms()
        self._check_tables()

    @property
    def names(self) -> set[str]:
        """All that words and quoted identifiers name."""
        return {token.name for token in self.tokens if token.is_name}

    def find(self, name: str, before: str = "") -> int | None:
        """Where `name` first stands as an identifier, of one that `before` (a symbol) follows if that is given; in
        the same case if there is such a one."""
        following = [*(token.text for token in self.tokens[1:]), ""]
        found = [
            token
            for token, after in zip(self.tokens, following, strict=True)
            if token.is_name and token.name.lower() == name.lower() and (not before or after == before)
        ]
        same = [token for token in found if token.name == name]
        return (same or found)[0].start if found else None

    def offset(self, line: int, column: int) -> int:
        """The place that Polars tells by line and column, both from 1."""
        lines = self.text.split("\n")
        return min(sum(len(text) + 1 for text in lines[: line - 1]) + column - 1, len(self.text))

    def invalid(
        self,
        reason: Reason,
        message: str,
        at: int | None,
        name: str | None = None,
        known: Sequence[str] = (),
        suggestions: Sequence[str] = (),
    ) -> SidecarError:
        """`invalid_query` that points at a place; `at` is None where nobody knows it."""
        line, column, near = None, None, None
        if at is not None:
            line, column, shown, near = self._place(at)
            message = f"{message}\n{shown}"
        return SidecarError(
            "invalid_query",
            message,
            reason=reason,
            line=line,
            column=column,
            near=near,
            name=name,
            known=[*known],
            suggestions=[*suggestions],
        )

    def _place(self, at: int) -> tuple[int, int, str, str]:
        before = self.text[:at]
        line, begin = before.count("\n") + 1, before.rfind("\n") + 1
        column = at - begin + 1
        whole = self.text[begin:].partition("\n")[0].rstrip()
        first = max(0, column - 1 - NEAR_CHARS)
        seen = whole[first : column - 1 + NEAR_CHARS]
        head = f"line {line}: {'…' if first else ''}"
        caret = re.sub(r"[^\t]", " ", head + seen[: column - 1 - first].ljust(column - 1 - first)) + "^"
        return line, column, f"{head}{seen}\n{caret}", self.text[at : at + NEAR_CHARS].partition("\n")[0].rstrip()

    def _tokenise(self) -> str:
        plain, at = list(self.text), 0
        while at < len(self.text):
            found = _TOKEN.match(self.text, at)
            assert found is not None
            end, kind = found.end(), str(found.lastgroup)
            if found["comment"]:
                end = self._comment_end(at)
            if found["comment"] or (found["blank"] and found["blank"].startswith("--")):
                plain[at:end] = [char if char == "\n" else " " for char in plain[at:end]]
            elif not found["blank"]:
                self._take(found, at, kind)
            at = end
        return "".join(plain)

    def _take(self, found: re.Match[str], at: int, kind: str) -> None:
        kind = {"string_end": "string", "quoted_end": "quoted", "tick_end": "quoted"}.get(kind, kind)
        text = found[0]
        if kind in ("string", "quoted") and not (found["string_end"] or found["quoted_end"] or found["tick_end"]):
            raise self.invalid("syntax", f"the {text[0]} that begins here has no end", at)
        if text == "$" or (kind in ("word", "number") and _PREFIXED.match(self.text, at)):
            raise self.invalid("syntax", "a string is written in single quotes, a name in double quotes", at)
        self.tokens.append(Token(kind, text, at))  # type: ignore[arg-type]  # the groups are named as the kinds are

    def _comment_end(self, start: int) -> int:
        depth = 0
        for edge in _COMMENT_EDGE.finditer(self.text, start):
            depth += 1 if edge[0] == "/*" else -1
            if depth == 0:
                return edge.end()
        raise self.invalid("syntax", "the comment that begins here has no end", start)

    def _check_statement(self) -> None:
        while self.tokens and self.tokens[-1].text == ";":
            self.tokens.pop()
        for token in self.tokens:
            if token.kind == "symbol" and token.text == ";":
                raise self.invalid("statement", "one query at a time: nothing may follow the semicolon", token.start)
        first = next((token for token in self.tokens if token.text != "("), None)
        if first is None:
            raise self.invalid("statement", "the query is empty", 0)
        if first.word not in _QUERY_WORDS:
            message = f"{first.text} begins no query: begin with SELECT, WITH or VALUES"
            raise self.invalid("statement", message, first.start)

        after = self.tokens[self.tokens.index(first) + 1 :][:1]
        if first.word == "with" and after and after[0].word == "recursive":
            message = "RECURSIVE is not taken: a query that goes on for ever could not be ended"
            raise self.invalid("statement", message, after[0].start)

    def _check_terms(self) -> None:
        counts = [0]  # since the last comma, at each level of what is open
        for token in self.tokens:
            if token.kind == "symbol" and token.text in ("(", "[", "{"):
                counts.append(0)
            elif token.kind == "symbol" and token.text in (")", "]", "}") and len(counts) > 1:
                counts.pop()
            elif token.kind == "symbol" and token.text == ",":
                counts[-1] = 0
            elif token.kind in ("word", "symbol"):
                counts[-1] += 1
                if counts[-1] > MAX_TERMS or sum(counts) > MAX_TERMS:
                    message = f"more than {MAX_TERMS} terms belong together here: use IN, or several queries"
                    raise self.invalid("complexity", message, token.start)

    def _check_tables(self) -> None:
        """No table function but those that read nothing. By their names wherever they stand, and by where they
        stand whatever their names."""
        clauses = [""]  # of each open parenthesis
        tables = 0
        for index, token in enumerate(self.tokens):
            before = self.tokens[index - 1] if index else Token("symbol", "", 0)
            is_table = self._is_table_place(index, before, clauses[-1])
            tables += is_table or token.word in ("select", "values")
            if tables > MAX_TABLES:
                message = f"there are more than {MAX_TABLES} tables and SELECTs: use several queries"
                raise self.invalid("complexity", message, token.start)
            if token.kind == "symbol" and token.text == "(":
                opened = "from" if is_table else "call" if before.word in _CALLS_WITH_FROM else ""
                clauses.append(opened)
            elif token.kind == "symbol" and token.text == ")" and len(clauses) > 1:
                clauses.pop()
            elif token.word in _CLAUSES or (token.word == "from" and self._is_clause(index, clauses[-1])):
                clauses[-1] = token.word
            elif token.is_name and self._is_called(index):
                self._check_function(token, is_table)

    def _is_table_place(self, index: int, before: Token, clause: str) -> bool:
        if before.word == "from":
            return self._is_clause(index - 1, clause)
        return before.word in _BEFORE_TABLES or (clause == "from" and before.text in (",", "("))

    def _is_clause(self, index: int, clause: str) -> bool:
        """Whether FROM names tables: it does not in `IS DISTINCT FROM x` nor in `EXTRACT(year FROM x)`."""
        words = [token.word for token in self.tokens[max(0, index - 2) : index]]
        is_comparison = len(words) == 2 and words[1] == "distinct" and words[0] in ("is", "not")
        return clause != "call" and not is_comparison

    def _is_called(self, index: int) -> bool:
        after = self.tokens[index + 1 : index + 2]
        return bool(after) and after[0].kind == "symbol" and after[0].text == "("

    def _check_function(self, token: Token, is_table: bool) -> None:
        name = token.name.casefold()
        if _FILE_FUNCTION.match(name) or (is_table and name not in _TABLE_FUNCTIONS):
            message = f"{token.name} is no table: a query reads sessions, files are read with load"
            raise self.invalid("table_function", message, token.start, name=token.name)
