"""Uploads a folder into a new vector store, searches it with a filter, and removes it again."""

import os
import sys
from pathlib import Path

from openai import OpenAI

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/examples/handbook")
question = sys.argv[2] if len(sys.argv) > 2 else "what is paid for a hotel"
base_url = os.environ.get("LECTERN_URL", "http://127.0.0.1:8080") + "/v1"
client = OpenAI(base_url=base_url, api_key=os.environ["LECTERN_API_KEY"])

store = client.vector_stores.create(name="example")
files = [client.files.create(file=path, purpose="assistants") for path in sorted(folder.iterdir())]
batch = client.vector_stores.file_batches.create_and_poll(
    store.id, file_ids=[file.id for file in files], attributes={"kind": "policy"}
)
print(f"{batch.file_counts.completed} of {batch.file_counts.total} files indexed")

page = client.vector_stores.search(
    store.id, query=question, max_num_results=3, filters={"type": "eq", "key": "kind", "value": "policy"}
)
for hit in page:
    print(f"{hit.score:.3f} {hit.filename}")

client.vector_stores.delete(store.id)
for file in files:
    client.files.delete(file.id)
