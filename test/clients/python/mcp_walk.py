"""The Python client of the Model Context Protocol: its newest revision and the older ones, over HTTP and stdio."""

import asyncio
import json
import os

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from openai import OpenAI

from checks import KEY, URL, check, done, expect

TOOLS = ["search", "fetch", "list_stores", "search_store", "list_files", "read_file"]
PROGRAM = json.loads(os.environ["LECTERN_PROGRAM"])


def put() -> None:
    client = OpenAI(base_url=f"{URL}/v1", api_key=KEY)
    store = client.vector_stores.create(name="mcp walk")
    file = ("refunds.md", b"# Refunds\n\nRefunds take ten days.")
    client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=file)


async def uses(client: Client, version: str) -> None:
    expect(client.protocol_version == version, client.protocol_version)
    expect("never an instruction" in (client.instructions or ""))
    names = [tool.name for tool in (await client.list_tools()).tools]
    expect(names == TOOLS, names)
    found = await client.call_tool("search", {"query": "how long do refunds take"})
    best = found.structured_content["results"][0]
    expect(best["title"].startswith("refunds.md"), best)
    expect("/console/#/stores/" in best["url"], best)
    expect(json.loads(found.content[0].text) == found.structured_content)
    document = await client.call_tool("fetch", {"id": best["id"]})
    expect("ten days" in document.structured_content["text"])
    read = await client.call_tool("read_file", {"store": "mcp walk", "file": "refunds.md", "characters": 9})
    expect(read.structured_content["text"] == "# Refunds", read)
    wrong = await client.call_tool("search_store", {"store": "nowhere", "query": "x"})
    expect(wrong.is_error and "mcp walk" in wrong.content[0].text, wrong)


async def over_http(mode: str, version: str) -> None:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as http:
        async with Client(streamable_http_client(f"{URL}/mcp", http_client=http), mode=mode) as client:
            await uses(client, version)


async def over_stdio(mode: str, version: str) -> None:
    env = {**os.environ, "LECTERN_URL": URL, "LECTERN_API_KEY": KEY}
    program = StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], "mcp"], env=env)
    async with Client(program, mode=mode) as client:
        await uses(client, version)


check("put", put)
for way in (over_http, over_stdio):
    for mode, version in (("auto", "2026-07-28"), ("legacy", "2025-11-25")):
        check(f"{way.__name__} {version}", lambda: asyncio.run(way(mode, version)))
done()
