import { useState } from "preact/hooks";
import type { VectorStore } from "../../api/store-schema.ts";
import { Failure } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { goTo } from "../state/use-route.ts";
import { Field } from "../parts/fields.tsx";
import { DropZone } from "../upload/drop-zone.tsx";
import type { Dropped } from "../upload/dropped.ts";
import { WORDS } from "../words.ts";

/** What is shown where there is no store yet: a name, a place to drop files, and the same as commands. */
export function FirstStore() {
  const { api, uploads } = useConsole();
  const [error, setError] = useState<Error | null>(null);
  const [name, setName] = useState("");
  const words = WORDS.store;
  const make = async (dropped: readonly Dropped[]) => {
    try {
      const store = await api.send<VectorStore>("POST", "vector_stores", {
        name: name.trim() || words.firstPlaceholder,
      });
      if (dropped.length > 0) uploads.add(store.id, dropped, {});
      goTo({ page: "files", store: store.id });
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void make([]);
  };
  return (
    <section class="first stack" aria-labelledby="first">
      <h2 id="first">{words.makeFirst}</h2>
      <p>{words.firstHelp}</p>
      {error !== null && <Failure error={error} />}
      <form class="row" onSubmit={submit}>
        <Field label={words.name}>
          <input
            name="name"
            maxLength={256}
            placeholder={words.firstPlaceholder}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </Field>
        <button type="submit" class="primary">
          {words.create}
        </button>
      </form>
      <DropZone onFiles={(dropped) => void make(dropped)} />
      <p>{words.commands}</p>
      <pre class="code" tabIndex={0}>
        {'lectern ingest FOLDER --store Documents\nlectern search Documents "a question"'}
      </pre>
    </section>
  );
}
