"""Assistants, threads and runs with OpenAI's client: objects, polling, streams by an event handler, citations."""

import io
import re
import time

import openai
from openai import AssistantEventHandler, OpenAI

from checks import KEY, URL, check, done, expect

client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
TEXT = b"Returns are accepted within 30 days.\n\nShipping is free above 50 euros. The code is ZX-4711."
CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
SEARCH = {"type": "file_search"}

store = client.vector_stores.create(name="assistants")
kept = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("returns.txt", io.BytesIO(TEXT)))
assistant = client.beta.assistants.create(
    model="gpt-4o", tools=[SEARCH], tool_resources={"file_search": {"vector_store_ids": [store.id]}}
)


def objects() -> None:
    made = client.beta.assistants.create(model="gpt-4o", name="walk", metadata={"team": "support"})
    changed = client.beta.assistants.update(made.id, name="walk two", instructions="Be brief.")
    expect((changed.name, changed.instructions, changed.metadata) == ("walk two", "Be brief.", {"team": "support"}))
    expect(made.id in [one.id for one in client.beta.assistants.list(limit=2)])
    expect(client.beta.assistants.retrieve(made.id) == changed)
    expect(client.beta.assistants.delete(made.id).deleted)
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
    )
    posted = client.beta.threads.messages.create(thread.id, role="user", content="Three", metadata={"a": "b"})
    listed = [one.content[0].text.value for one in client.beta.threads.messages.list(thread.id, order="asc", limit=2)]
    expect(listed == ["One", "Two", "Three"], listed)
    expect(client.beta.threads.messages.retrieve(posted.id, thread_id=thread.id) == posted)
    expect(client.beta.threads.update(thread.id, metadata={"c": "d"}).metadata == {"c": "d"})
    expect(client.beta.threads.delete(thread.id).deleted)


def polling() -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "How long are returns accepted?"}])
    started = time.monotonic()
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    expect(run.status == "completed", run)
    expect(time.monotonic() - started < 5, "polling took its time")
    message = client.beta.threads.messages.list(thread.id, run_id=run.id).data[0]
    text = message.content[0].text
    expect("within 30 days" in text.value, text.value)
    expect(len(text.annotations) > 0)
    for one in text.annotations:
        expect(text.value[one.start_index : one.end_index] == one.text, one)
        expect(one.file_citation.file_id == kept.id, one)
    expect("【" not in re.sub(r"【[^】]*】", "", text.value))
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, include=[CONTENT]).data
    expect([step.type for step in steps] == ["message_creation", "tool_calls"])
    expect("30 days" in steps[1].step_details.tool_calls[0].file_search.results[0].content[0].text)
    again = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "What is the code?"}]}
    )
    answer = client.beta.threads.messages.list(again.thread_id).data[0].content[0].text.value
    expect("ZX-4711" in answer, answer)


class Handler(AssistantEventHandler):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.created = 0
        self.calls = set()

    def on_text_created(self, text) -> None:
        self.created += 1

    def on_text_delta(self, delta, snapshot) -> None:
        self.text += delta.value or ""

    def on_tool_call_done(self, tool_call) -> None:
        self.calls.add(tool_call.id)


def streaming() -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "How long are returns accepted?"}])
    handler = Handler()
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        stream.until_done()
        final = stream.get_final_messages()[0].content[0].text.value
        expect(stream.get_final_run().status == "completed")
    # Its reader says it more than once.
    expect((handler.created, len(handler.calls)) == (1, 1), (handler.created, handler.calls))
    expect(handler.text == final and "30 days" in final, handler.text)
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "What is the code?"}]}
    ) as stream:
        expect("ZX-4711" in "".join(stream.text_deltas))
    names = [event.event for event in client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True)]
    expect((names[0], names[-1]) == ("thread.run.created", "thread.run.completed"), names)


def attachments() -> None:
    file = client.files.create(file=("foods.csv", io.BytesIO(b"name,food\nFilip,cake\nMaria,soup\n")), purpose="assistants")
    alone = client.beta.assistants.create(model="gpt-4o", tools=[SEARCH])
    thread = client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "What food does Filip like?",
                "attachments": [{"file_id": file.id, "tools": [SEARCH]}],
            }
        ]
    )
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=alone.id)
    answer = client.beta.threads.messages.list(thread.id).data[0].content[0].text.value
    expect(run.status == "completed" and "cake" in answer, answer)


def refusals() -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    for refused, words in [
        (lambda: client.beta.threads.runs.cancel(run.id, thread_id=thread.id), "Cannot cancel run with status"),
        (
            lambda: client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=[]),
            "do not accept tool outputs",
        ),
        (
            lambda: client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, tool_choice="none"),
            "no language model",
        ),
    ]:
        try:
            refused()
            expect(False, f"accepted: {words}")
        except openai.BadRequestError as error:
            expect(words in error.message, error.message)


for step in [objects, polling, streaming, attachments, refusals]:
    check(f"assistants: {step.__name__}", step)
done()
