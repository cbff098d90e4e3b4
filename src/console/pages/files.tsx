import { useState } from "preact/hooks";
import type { FileCounts } from "../../api/store-schema.ts";
import { Failure, Skeleton, Stale } from "../parts/load.tsx";
import type { Route } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import { useFiles } from "../state/use-files.ts";
import { setQuery } from "../state/use-route.ts";
import { DropZone } from "../upload/drop-zone.tsx";
import type { Attributes } from "../upload/uploads.ts";
import { WORDS } from "../words.ts";
import { Choice, Field } from "../parts/fields.tsx";
import { FileTable } from "./file-table.tsx";
import { UploadList } from "./upload-list.tsx";
import { Counts } from "./store-table.tsx";
import { scalarOf } from "../filter.ts";

/** Files of a store: uploading them, watching them, finding them. */
export function FilesPage({ route, counts }: { route: Route; counts: FileCounts }) {
  const known = useConsole();
  const { api, uploads } = known;
  const { store, query } = route;
  const files = useFiles(api, store, listQuery(query), counts);
  const [attributes, setAttributes] = useState<Attributes>({});
  const isFiltered = (query["name"] ?? "") !== "" || (query["state"] ?? "") !== "";
  return (
    <>
      {files.away !== null && <Stale error={files.away} />}
      {mayWrite(known) && (
        <>
          <DropZone onFiles={(dropped) => uploads.add(store, dropped, attributes)} />
          <AttributesField onChange={setAttributes} />
          <UploadList store={store} />
        </>
      )}
      <div class="row spread">
        <Counts of={files.counts} />
      </div>
      <Choices route={route} />
      {files.error !== null && <Failure error={files.error} retry={files.reload} />}
      {files.error === null &&
        files.rows.length === 0 &&
        (files.isLoading ? <Skeleton /> : <p>{isFiltered ? WORDS.files.none : WORDS.files.empty}</p>)}
      {files.rows.length > 0 && <FileTable store={store} files={files} />}
    </>
  );
}

/** What the address says, as the API is asked. */
function listQuery({ name = "", state = "", sort = "created_at", order = "desc" }: Route["query"]): string {
  const wanted = new URLSearchParams({ order, sort });
  if (name !== "") wanted.set("filename", name);
  if (state !== "") wanted.set("filter", state);
  return `&${wanted}`;
}

function Choices({ route }: { route: Route }) {
  const { query } = route;
  const words = WORDS.files;
  return (
    <div class="row fields">
      <Field label={words.find}>
        <input
          type="search"
          maxLength={256}
          defaultValue={query["name"] ?? ""}
          onInput={(event) => setQuery(route, { name: event.currentTarget.value })}
        />
      </Field>
      <Choice
        label={words.state}
        value={query["state"] ?? ""}
        options={[["", words.anyState], ...Object.entries(words.statuses)]}
        onChange={(state) => setQuery(route, { state })}
      />
      <Choice
        label={words.sort}
        value={query["sort"] ?? "created_at"}
        options={Object.entries(words.sorts)}
        onChange={(sort) => setQuery(route, { sort, order: sort === "created_at" ? "" : "asc" })}
      />
      <label class="check">
        <input
          type="checkbox"
          checked={query["order"] === "asc"}
          onChange={(event) => setQuery(route, { order: event.currentTarget.checked ? "asc" : "" })}
        />
        <span>{words.ascending}</span>
      </label>
    </div>
  );
}

/** `key=value`, one a line, for whatever is dropped from now on. */
function AttributesField({ onChange }: { onChange: (attributes: Attributes) => void }) {
  const [problem, setProblem] = useState("");
  const read = (text: string) => {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const bad = lines.find((line) => line.indexOf("=") < 1);
    setProblem(bad === undefined ? "" : WORDS.files.badAttribute(bad));
    if (bad !== undefined) return;
    const pairs = lines.map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at).trim(), scalarOf(line.slice(at + 1).trim())] as const;
    });
    onChange(Object.fromEntries(pairs));
  };
  return (
    <details>
      <summary>{WORDS.files.attributes}</summary>
      <Field label={WORDS.files.attributesHelp}>
        <textarea rows={3} onInput={(event) => read(event.currentTarget.value)} />
      </Field>
      {problem !== "" && <p role="alert">{problem}</p>}
    </details>
  );
}
