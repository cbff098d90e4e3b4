"""The whole contract with OpenAI's client, which refuses every answer that is not as its own types say."""

import asyncio
import io
import math

import openai
from openai import AsyncOpenAI, AzureOpenAI, OpenAI

from checks import KEY, URL, check, done, expect

client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, _strict_response_validation=True)
# Asked for no format, the client takes base64, which its own strict reading refuses.
plain = OpenAI(base_url=f"{URL}/v1", api_key=KEY)
FLOAT = {"model": "text-embedding-3-small", "encoding_format": "float"}
TEXT = b"Returns are accepted within 30 days.\n\nShipping is free above 50 euros. The code is ZX-4711."


def embeddings() -> None:
    one = plain.embeddings.create(model="text-embedding-3-small", input="hello world")
    norm = math.sqrt(sum(x * x for x in one.data[0].embedding))
    expect(abs(norm - 1) < 1e-3, norm)
    many = client.embeddings.create(input=["a cat", "a dog"], **FLOAT)
    expect([d.index for d in many.data] == [0, 1])
    expect(many.usage.total_tokens > 0)
    tokens = client.embeddings.create(input=[[9906, 1917]], **FLOAT)
    expect(len(tokens.data) == 1)
    long = client.embeddings.create(input=[[9906, 1917] * 1500], **FLOAT)
    expect(len(long.data) == 1 and long.usage.prompt_tokens == 3000, long.usage)
    sized = plain.embeddings.create(model="text-embedding-3-large", input="hello", dimensions=1024)
    expect(len(sized.data[0].embedding) == 1024, len(sized.data[0].embedding))


def models() -> None:
    listed = list(client.models.list())
    expect(len(listed) > 0)
    expect(client.models.retrieve(listed[0].id).id == listed[0].id)


def files() -> None:
    file = client.files.create(file=("notes.txt", io.BytesIO(TEXT)), purpose="assistants")
    expect(file.filename == "notes.txt" and file.bytes == len(TEXT))
    expect(client.files.retrieve(file.id).id == file.id)
    expect(file.id in [one.id for one in client.files.list(purpose="assistants", limit=100)])
    stored = client.files.create(
        file=("fine.jsonl", io.BytesIO(b'{"a":1}\n')),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    expect(stored.expires_at is not None)
    expect(client.files.content(stored.id).read() == b'{"a":1}\n')
    expect(client.files.delete(stored.id).deleted)
    expect(client.files.delete(file.id).deleted)


def uploads() -> None:
    upload = client.uploads.create(bytes=len(TEXT), filename="big.txt", mime_type="text/plain", purpose="assistants")
    first = client.uploads.parts.create(upload_id=upload.id, data=io.BytesIO(TEXT[:40]))
    second = client.uploads.parts.create(upload_id=upload.id, data=io.BytesIO(TEXT[40:]))
    whole = client.uploads.complete(upload_id=upload.id, part_ids=[first.id, second.id])
    expect(whole.status == "completed" and whole.file is not None)
    other = client.uploads.create(bytes=1, filename="x.txt", mime_type="text/plain", purpose="assistants")
    expect(client.uploads.cancel(upload_id=other.id).status == "cancelled")


def stores() -> None:
    store = client.vector_stores.create(name="walk", metadata={"team": "support"})
    renamed = client.vector_stores.update(store.id, name="walk two", metadata={"team": "sales"})
    expect(renamed.name == "walk two" and renamed.metadata == {"team": "sales"})
    expiring = client.vector_stores.update(store.id, expires_after={"anchor": "last_active_at", "days": 7})
    expect(expiring.expires_at is not None)
    expect(store.id in [one.id for one in client.vector_stores.list(limit=2)])
    file = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("returns.txt", io.BytesIO(TEXT)))
    expect(file.status == "completed", file)
    changed = client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"kind": "faq", "n": 3})
    expect(changed.attributes == {"kind": "faq", "n": 3.0}, changed.attributes)
    expect([one.id for one in client.vector_stores.files.list(store.id, filter="completed")] == [file.id])
    content = list(client.vector_stores.files.content(file.id, vector_store_id=store.id))
    expect("30 days" in "".join(part.text or "" for part in content))
    found = client.vector_stores.search(
        store.id,
        query="How long may I return something?",
        filters={"type": "and", "filters": [{"type": "eq", "key": "kind", "value": "faq"}]},
        max_num_results=3,
        ranking_options={"score_threshold": 0.0, "ranker": "auto"},
        rewrite_query=True,
    )
    hits = list(found)
    expect(hits[0].file_id == file.id and 0 <= hits[0].score <= 1, hits)
    expect("30 days" in hits[0].content[0].text)
    several = client.vector_stores.search(store.id, query=["shipping", "returns"])
    expect(len(list(several)) > 0)
    more = [client.files.create(file=(f"{i}.md", io.BytesIO(TEXT)), purpose="assistants").id for i in range(3)]
    batch = client.vector_stores.file_batches.create_and_poll(vector_store_id=store.id, file_ids=more)
    expect(batch.file_counts.completed == 3, batch)
    listed = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id)
    expect({one.id for one in listed} == set(more))
    uploaded = client.vector_stores.file_batches.upload_and_poll(store.id, files=[("u.txt", io.BytesIO(TEXT))])
    expect(uploaded.status == "completed")
    expect(client.vector_stores.retrieve(store.id).file_counts.total == 5)
    expect(client.vector_stores.files.delete(file.id, vector_store_id=store.id).deleted)
    expect(client.vector_stores.delete(store.id).deleted)


def refusals() -> None:
    try:
        client.vector_stores.retrieve("vs_nothing")
    except openai.NotFoundError as error:
        expect(error.status_code == 404 and error.code is not None)
    else:
        raise AssertionError("a store that never was is found")
    try:
        client.embeddings.create(model="text-embedding-3-small", input=["x", ""])
    except openai.BadRequestError as error:
        expect(error.param == "input[1]" or error.param == "input", error.param)
    else:
        raise AssertionError("an empty text in a list is embedded")
    try:
        OpenAI(base_url=f"{URL}/v1", api_key="sk-wrong-0123456789", max_retries=0).models.list()
    except openai.AuthenticationError:
        pass
    else:
        raise AssertionError("a wrong key is let in")


def asynchronous() -> None:
    async def walk() -> None:
        async with AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, _strict_response_validation=True) as other:
            answers = await asyncio.gather(
                *(other.embeddings.create(input=f"text {i}", **FLOAT) for i in range(8))
            )
            expect(len(answers) == 8)
            store = await other.vector_stores.create(name="async")
            await other.vector_stores.delete(store.id)

    asyncio.run(walk())


def azure() -> None:
    other = AzureOpenAI(azure_endpoint=URL, api_key=KEY, api_version="2024-10-21", _strict_response_validation=True)
    answer = other.embeddings.create(input="hello", **FLOAT)
    expect(len(answer.data) == 1)


for step in (embeddings, models, files, uploads, stores, refusals, asynchronous, azure):
    check(step.__name__, step)
done()
