"""Brings a collection of Qdrant, with its vectors and payloads, into a new store of Lectern.

python3 import_qdrant.py FOLDER-OR-ADDRESS COLLECTION STORE [--text KEY] [--vector NAME] [--model MODEL | --embed]
"""

from typing import Any, Iterator

from qdrant_client import QdrantClient

from vectors_to_lectern import Row, arguments, bring

PAGE = 500
# Where LangChain, LlamaIndex, Qdrant's own client and others keep the text of a point.
TEXTS = ["page_content", "text", "document", "content", "chunk"]


def rows(place: str, name: str, text: str | None, vector: str | None) -> Iterator[Row]:
    client = QdrantClient(url=place) if "://" in place else QdrantClient(path=place)
    offset: Any = None
    while True:
        points, offset = client.scroll(name, limit=PAGE, offset=offset, with_payload=True, with_vectors=True)
        for point in points:
            payload = dict(point.payload or {})
            key = text or next((key for key in TEXTS if isinstance(payload.get(key), str)), "")
            content = payload.pop(key, None)
            # LangChain keeps metadata one level deeper.
            inner = payload.pop("metadata", {})
            payload.update(inner if isinstance(inner, dict) else {"metadata": inner})
            vectors: Any = point.vector
            one = vectors[vector] if isinstance(vectors, dict) and vector is not None else vectors
            if isinstance(one, dict):
                raise SystemExit(f"The points have several vectors: choose one of {', '.join(one)} with --vector.")
            yield Row(str(point.id), content, one, payload)
        if offset is None:
            break
    client.close()


parser = arguments("Brings a collection of Qdrant into Lectern.", "place", "collection")
parser.add_argument("--text", help="the key of the payload that has the text")
parser.add_argument("--vector", help="which of several named vectors")
asked = parser.parse_args()
bring(rows(asked.place, asked.collection, asked.text, asked.vector), asked)
