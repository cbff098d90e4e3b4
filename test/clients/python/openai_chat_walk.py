"""Responses, conversations, assistants and chats of a chat model with OpenAI's client: loops with functions, streams, helpers."""

import json
import time

from openai import AssistantEventHandler

from chats import ANSWER, PARAMETERS, PLAIN, QUESTION, client, new_store, weather
from checks import check, done, expect, until

store = new_store()
SEARCH = {"type": "file_search", "vector_store_ids": [store]}
FUNCTION = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}
TOOLS = [SEARCH, FUNCTION]
MODEL = "gpt-4o"
assistant = client.beta.assistants.create(
    model=MODEL,
    tools=[{"type": "file_search"}, {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}],
    tool_resources={"file_search": {"vector_store_ids": [store]}},
)


def outputs_of(calls) -> list:
    return [
        {"type": "function_call_output", "call_id": call.call_id, "output": weather(**json.loads(call.arguments))}
        for call in calls
        if call.type == "function_call"
    ]


def outputs_for(run) -> list:
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": one.id, "output": weather(**json.loads(one.function.arguments))} for one in calls]


def expect_cited(response) -> None:
    expect(response.output_text == ANSWER, response.output_text)
    cited = response.output[-1].content[0].annotations
    expect([one.filename for one in cited] == ["returns.txt"] and cited[0].index == len("Within 30 days"), cited)


def responses() -> None:
    first = client.responses.create(model=MODEL, input=QUESTION, tools=TOOLS, include=["file_search_call.results"])
    expect([one.type for one in first.output] == ["file_search_call", "function_call"], first.output)
    expect("30 days" in first.output[0].results[0].text)
    expect_cited(
        client.responses.create(
            model=MODEL, input=outputs_of(first.output), tools=TOOLS, previous_response_id=first.id
        )
    )
    # The whole turn sent back, as programs do that keep it themselves.
    whole = [{"role": "user", "content": QUESTION}, *first.output, *outputs_of(first.output)]
    expect_cited(client.responses.create(model=MODEL, input=whole, tools=TOOLS))


def stream_helper() -> None:
    with client.responses.stream(model=MODEL, input=QUESTION, tools=TOOLS) as stream:
        names = [event.type for event in stream]
        first = stream.get_final_response()
    expect("response.function_call_arguments.done" in names and names[-1] == "response.completed", names)
    text = ""
    with client.responses.stream(
        model=MODEL, input=outputs_of(first.output), tools=TOOLS, previous_response_id=first.id
    ) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                text += event.delta
        final = stream.get_final_response()
    expect(text == ANSWER, text)
    expect_cited(final)
    events = [event.type for event in client.responses.create(model=MODEL, input=PLAIN, tools=TOOLS, stream=True)]
    expect("response.output_text.annotation.added" in events, events)


def background() -> None:
    conversation = client.conversations.create()
    queued = client.responses.create(
        model=MODEL, input=PLAIN, tools=TOOLS, background=True, conversation=conversation.id
    )
    until(lambda: client.responses.retrieve(queued.id).status == "completed")
    kinds = [one.type for one in client.conversations.items.list(conversation.id, order="asc")]
    expect(kinds == ["message", "file_search_call", "message"], kinds)
    streamed = client.responses.create(model=MODEL, input=PLAIN, tools=TOOLS, background=True, stream=True)
    seen = [event.sequence_number for event, _ in zip(streamed, range(3))]
    response_id = next(iter(client.responses.create(model=MODEL, input=PLAIN, background=True, stream=True))).response.id
    until(lambda: client.responses.retrieve(response_id).status == "completed")
    rest = [event for event in client.responses.retrieve(response_id, stream=True, starting_after=seen[-1])]
    expect(rest[0].sequence_number == 3 and rest[-1].type == "response.completed", [one.type for one in rest])


def runs_by_polling() -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
    started = time.monotonic()
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    expect(run.status == "requires_action", run)
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs_for(run)
    )
    expect(run.status == "completed" and time.monotonic() - started < 30, run)
    text = client.beta.threads.messages.list(thread.id, run_id=run.id).data[0].content[0].text
    expect(text.value == "Within 30 days【1:0†returns.txt】. In Rome it is 21 degrees.", text.value)
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    expect([one.type for one in steps] == ["tool_calls", "tool_calls", "message_creation"], steps)
    expect(run.usage.total_tokens == sum(one.usage.total_tokens for one in steps), steps)


class Handler(AssistantEventHandler):
    """Calls the function in the middle of the stream, and follows what comes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.asked = 0
        self.tools: list[str] = []

    def on_tool_call_created(self, tool_call) -> None:
        self.tools.append(tool_call.type)

    def on_text_delta(self, delta, snapshot) -> None:
        self.text += delta.value or ""

    def on_event(self, event) -> None:
        if event.event != "thread.run.requires_action":
            return
        self.asked += 1
        other = Handler()
        with client.beta.threads.runs.submit_tool_outputs_stream(
            run_id=event.data.id,
            thread_id=event.data.thread_id,
            tool_outputs=outputs_for(event.data),
            event_handler=other,
        ) as stream:
            stream.until_done()
        self.text += other.text


def runs_by_event_handler() -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
    handler = Handler()
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        stream.until_done()
    # The client announces the call of the next step, which has the same place there, only as a change.
    expect((handler.tools, handler.asked) == (["file_search"], 1), (handler.tools, handler.asked))
    expect(handler.text == "Within 30 days【1:0†returns.txt】. In Rome it is 21 degrees.", handler.text)
    plain = {"messages": [{"role": "user", "content": PLAIN}]}
    with client.beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=plain) as stream:
        expect("Within 30 days" in "".join(stream.text_deltas))
    expect(client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=plain).status == "completed")


def chats() -> None:
    messages = [{"role": "user", "content": PLAIN}]
    answer = client.chat.completions.create(model=MODEL, messages=messages)
    expect("Within 30 days" in answer.choices[0].message.content)
    with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
    expect("Within 30 days" in text, text)


for step in [responses, stream_helper, background, runs_by_polling, runs_by_event_handler, chats]:
    check(f"chat model: {step.__name__}", step)
done()
