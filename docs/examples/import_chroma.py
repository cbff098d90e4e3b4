"""Brings a collection of Chroma, with its vectors and metadata, into a new store of Lectern.

python3 import_chroma.py FOLDER COLLECTION STORE [--model MODEL | --embed]
"""

from typing import Iterator

import chromadb

from vectors_to_lectern import Row, arguments, bring

PAGE = 500


def rows(folder: str, name: str) -> Iterator[Row]:
    client = chromadb.PersistentClient(folder, chromadb.Settings(anonymized_telemetry=False))
    collection = client.get_collection(name, embedding_function=None)
    for offset in range(0, collection.count(), PAGE):
        page = collection.get(limit=PAGE, offset=offset, include=["documents", "embeddings", "metadatas"])
        for i, row_id in enumerate(page["ids"]):
            yield Row(row_id, page["documents"][i], page["embeddings"][i], dict(page["metadatas"][i] or {}))


parser = arguments("Brings a collection of Chroma into Lectern.", "folder", "collection")
asked = parser.parse_args()
bring(rows(asked.folder, asked.collection), asked)
