"""LlamaIndex: a model over Responses with search built in, an agent with a function, and a chat model of an OpenAI-like server."""

import asyncio

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAIResponses
from llama_index.llms.openai_like import OpenAILike

import chats
from checks import KEY, URL, check, done, expect

store = chats.new_store()
OPTIONS = {"api_base": f"{URL}/v1", "api_key": KEY, "max_retries": 0}
SEARCH = {"type": "file_search", "vector_store_ids": [store]}
weather = FunctionTool.from_defaults(chats.weather)


def responses() -> OpenAIResponses:
    return OpenAIResponses(model="gpt-4o", built_in_tools=[SEARCH], **OPTIONS)


def answers() -> None:
    answer = responses().chat([ChatMessage(role="user", content=chats.PLAIN)])
    expect(answer.message.content == "Within 30 days.", answer)
    text = "".join(part.delta or "" for part in responses().stream_chat([ChatMessage(role="user", content=chats.PLAIN)]))
    expect(text == "Within 30 days.", text)


def agent() -> None:
    async def walk() -> str:
        return str(await FunctionAgent(tools=[weather], llm=responses()).run(chats.QUESTION))

    answer = asyncio.run(walk())
    expect("In Rome it is 21 degrees." in answer and "Within 30 days" in answer, answer)


def completions() -> None:
    model = OpenAILike(model="gpt-4o", is_chat_model=True, is_function_calling_model=True, **OPTIONS)
    answer = model.chat([ChatMessage(role="user", content=chats.PLAIN)])
    expect("Within 30 days" in answer.message.content, answer)

    async def walk() -> str:
        return str(await FunctionAgent(tools=[weather], llm=model).run(chats.QUESTION))

    answer = asyncio.run(walk())
    expect("In Rome it is 21 degrees." in answer, answer)


for step in (answers, agent, completions):
    check(f"chat model: {step.__name__}", step)
done()
