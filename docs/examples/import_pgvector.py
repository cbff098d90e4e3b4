"""Brings a table with a column of pgvector into a new store of Lectern, from what pg_dump or COPY wrote.

psql -c "COPY (SELECT id, content, embedding, metadata, year FROM items) TO STDOUT" > items.txt
python3 import_pgvector.py items.txt STORE --columns id,content,embedding,metadata,year [--model MODEL | --embed]

pg_dump --data-only --table items > items.sql
python3 import_pgvector.py items.sql STORE [--id id] [--text content] [--vector embedding] [--model MODEL | --embed]
"""

import json
import re
from typing import Any, Iterator

from vectors_to_lectern import Row, arguments, bring

ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?([eE][+-]?\d+)?")


def value_of(field: str) -> str | None:
    """A field as COPY writes it: \\N is NULL, a backslash escapes."""
    if field == r"\N":
        return None
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), field)


def records(path: str, columns: list[str]) -> Iterator[dict[str, str | None]]:
    inside = len(columns) > 0
    # COPY ends its lines with a newline; other characters that part lines are none here.
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            line = line.rstrip("\n")
            begins = re.match(r"COPY \S+ \((.*)\) FROM stdin;", line)
            if begins:
                columns, inside = [name.strip().strip('"') for name in begins[1].split(",")], True
            elif line == r"\.":
                inside = False
            elif inside:
                yield dict(zip(columns, map(value_of, line.split("\t")), strict=True))


def metadata_of(key: str, value: str | None) -> dict[str, Any]:
    """A column of JSON objects is its pairs; what looks like a number or a truth value is one."""
    if value is None:
        return {}
    if value.startswith("{"):
        try:
            return dict(json.loads(value))
        except ValueError:
            pass
    if value in ("t", "f"):
        return {key: value == "t"}
    return {key: json.loads(value) if NUMBER.fullmatch(value) else value}


parser = arguments("Brings a table of pgvector into Lectern.", "file")
parser.add_argument("--columns", default="", help="of a file without a COPY line, in their order, with commas between")
parser.add_argument("--id", default="id")
parser.add_argument("--text", default="content")
parser.add_argument("--vector", default="embedding")
asked = parser.parse_args()


def rows() -> Iterator[Row]:
    for record in records(asked.file, [name for name in asked.columns.split(",") if name]):
        row_id, text, vector = (record.pop(name, None) for name in (asked.id, asked.text, asked.vector))
        metadata: dict[str, Any] = {}
        for key, value in record.items():
            metadata.update(metadata_of(key, value))
        yield Row(row_id or "", text, None if vector is None else json.loads(vector), metadata)


bring(rows(), asked)
