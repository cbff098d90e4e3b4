"""What the import programs beside this one share: rows of another store become vectors of a new store of Lectern."""

import http.client
import itertools
import json
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import Any, Iterable, Iterator, NamedTuple, Sequence
from urllib.parse import quote, urlsplit

URL = urlsplit(os.environ.get("LECTERN_URL", "http://127.0.0.1:8080"))
MOST_PAIRS, MOST_KEY, MOST_TEXT = 16, 64, 512


class Row(NamedTuple):
    id: str
    text: str | None
    vector: Sequence[float] | None
    metadata: dict[str, Any]


def arguments(about: str, *places: str) -> ArgumentParser:
    """The words that every import takes, after those of its own."""
    parser = ArgumentParser(description=about)
    for place in places:
        parser.add_argument(place)
    parser.add_argument("store", help="name of the store that is made")
    parser.add_argument("--model", help="the model that made the vectors, as Lectern calls it; questions need it too")
    parser.add_argument("--embed", action="store_true", help="leave the vectors behind: Lectern embeds the texts")
    return parser


def bring(rows: Iterable[Row], asked: Namespace) -> None:
    """Makes the store and sends the rows, one a line in one body, as they are read."""
    known = iter(rows)
    first = next(known, None)
    store = call("POST", "/v1/vector_stores", {"name": asked.store, **({"embedding_model": asked.model} if asked.model else {})})
    dimensions = store["index"]["dimensions"]
    if first is not None and first.vector is not None and not asked.embed and len(first.vector) != dimensions:
        call("DELETE", f"/v1/vector_stores/{store['id']}")
        sys.exit(
            f"The vectors have {len(first.vector)} values, those of the model {store['index']['model']} have {dimensions}. "
            "Name the model that made them (--model), or let Lectern embed the texts anew (--embed)."
        )
    notes: dict[str, int] = {}
    all_rows = known if first is None else itertools.chain([first], known)
    lines = (line_of(row, asked.embed, notes) for row in all_rows)
    path = f"/v1/vector_stores/{quote(store['id'])}/embeddings/batch"
    answer = call("POST", path, (line for line in lines if line is not None), "application/x-ndjson")
    print(f"{answer['inserted']} vectors are in {store['id']}")
    for note, count in notes.items():
        print(f"{count} {note}")


def line_of(row: Row, embed: bool, notes: dict[str, int]) -> bytes | None:
    if not row.text:
        notes["rows without a text were left out"] = notes.get("rows without a text were left out", 0) + 1
        return None
    line: dict[str, Any] = {"content": row.text, "metadata": attributes_of({"source_id": row.id, **row.metadata}, notes)}
    if row.vector is not None and not embed:
        line["embedding"] = [float(value) for value in row.vector]
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def attributes_of(metadata: dict[str, Any], notes: dict[str, int]) -> dict[str, str | float | bool]:
    """Metadata as Lectern keeps it: so many pairs of texts, numbers and truth values; lists and objects become JSON."""
    kept: dict[str, str | float | bool] = {}
    for key, value in metadata.items():
        if value is None:
            continue
        if not isinstance(value, (str, int, float, bool)):
            value = json.dumps(value, ensure_ascii=False, default=str)
        if len(kept) == MOST_PAIRS or len(key) > MOST_KEY:
            notes["metadata values had no room"] = notes.get("metadata values had no room", 0) + 1
            continue
        if isinstance(value, str) and len(value) > MOST_TEXT:
            notes["metadata texts were cut"] = notes.get("metadata texts were cut", 0) + 1
            value = value[:MOST_TEXT]
        kept[key] = value
    return kept


def call(method: str, path: str, body: Any = None, content_type: str = "application/json") -> dict[str, Any]:
    kind = http.client.HTTPSConnection if URL.scheme == "https" else http.client.HTTPConnection
    connection = kind(URL.netloc)
    headers = {"authorization": f"Bearer {os.environ['LECTERN_API_KEY']}", "content-type": content_type}
    sent: Iterator[bytes] | bytes | None = body
    if content_type == "application/json":
        sent = None if body is None else json.dumps(body).encode()
    try:
        # What has no length goes in chunks.
        connection.request(method, path, body=sent, headers=headers)
    except ConnectionError:
        pass  # The server has answered before the end: that is read below.
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        sys.exit(f"{response.status}: {answer['error']['message']}")
    return answer
