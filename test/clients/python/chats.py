"""What the walks with a chat model share: a store with one document, and a function that the model calls."""

import io

from openai import OpenAI

from checks import KEY, URL

TEXT = b"Returns are accepted within 30 days.\n\nShipping is free above 50 euros. The code is ZX-4711."
QUESTION = "How long are returns accepted, and how warm is it in Rome?"
PLAIN = "How long are returns accepted?"
ANSWER = "Within 30 days. In Rome it is 21 degrees."
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)


def new_store() -> str:
    store = client.vector_stores.create(name="chats")
    client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("returns.txt", io.BytesIO(TEXT)))
    return store.id


def weather(city: str) -> str:
    """The weather of a city."""
    return "21 degrees" if city == "Rome" else "nobody knows"
