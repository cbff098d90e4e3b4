import { useState } from "preact/hooks";
import type { VectorStoreFile } from "../../api/attaching/schema.ts";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { visible } from "../text/visible.ts";
import { QUALITY_WORDS } from "../words-quality.ts";
import { Field } from "./fields.tsx";
import { Load } from "./load.tsx";
import { Name } from "./text.tsx";

export interface FoundFile {
  id: string;
  filename: string;
}

const WORD = QUALITY_WORDS.judging;
const MOST = 10;

/** Files of a store by a part of their name, to choose one of. */
export function FileFinder({ store, onChoose }: { store: string; onChoose: (file: FoundFile) => void }) {
  const { api } = useConsole();
  const [name, setName] = useState("");
  const path = `vector_stores/${encodeURIComponent(store)}/files?limit=${MOST}&filename=${encodeURIComponent(name)}`;
  const found = useLoad(path, async (signal) =>
    name === "" ? [] : (await api.get<{ data: VectorStoreFile[] }>(path, signal)).data,
  );
  return (
    <div class="stack">
      <Field label={WORD.find}>
        <input
          type="search"
          name="find-file"
          maxLength={256}
          autoComplete="off"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </Field>
      <Load of={found}>
        {(files) => (
          <>
            {name !== "" && files.length === 0 && <p>{WORD.noFile}</p>}
            <ul class="plain stack found-files">
              {files.map(({ id, filename }) => (
                <li key={id}>
                  <button
                    type="button"
                    aria-label={WORD.add(visible(filename ?? id))}
                    onClick={() => onChoose({ id, filename: filename ?? id })}
                  >
                    <Name of={filename ?? id} />
                  </button>
                </li>
              ))}
            </ul>
          </>
        )}
      </Load>
    </div>
  );
}
