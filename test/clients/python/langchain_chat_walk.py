"""LangChain's chat model over Responses, with search and a function bound, and over chats."""

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

import chats
from checks import KEY, URL, check, done, expect

store = chats.new_store()
OPTIONS = {"model": "gpt-4o", "base_url": f"{URL}/v1", "api_key": KEY, "max_retries": 0}
weather = tool(chats.weather)


def loops(model) -> object:
    """As an agent does: asks until nothing is called any more."""
    messages = [HumanMessage(chats.QUESTION)]
    for _ in range(3):
        answer = model.invoke(messages)
        messages.append(answer)
        if not answer.tool_calls:
            return answer
        messages.extend(weather.invoke(call) for call in answer.tool_calls)
    raise AssertionError("it never answered")


def responses() -> None:
    search = {"type": "file_search", "vector_store_ids": [store]}
    model = ChatOpenAI(use_responses_api=True, **OPTIONS).bind_tools([search, weather])
    answer = loops(model)
    expect(answer.text == chats.ANSWER, answer.text)
    expect("returns.txt" in str(answer.content), answer.content)
    text = "".join(chunk.text for chunk in model.stream(chats.PLAIN))
    expect(text == "Within 30 days.", text)


def previous_response() -> None:
    search = {"type": "file_search", "vector_store_ids": [store]}
    model = ChatOpenAI(use_responses_api=True, use_previous_response_id=True, **OPTIONS).bind_tools([search, weather])
    expect(loops(model).text == chats.ANSWER)


def completions() -> None:
    answer = loops(ChatOpenAI(use_responses_api=False, **OPTIONS).bind_tools([weather]))
    expect(answer.text == "Within 30 days [1]. In Rome it is 21 degrees.", answer.text)


for step in (responses, previous_response, completions):
    check(f"chat model: {step.__name__}", step)
done()
