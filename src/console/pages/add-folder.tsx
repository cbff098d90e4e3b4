import { useEffect, useRef, useState } from "preact/hooks";
import type { Model } from "../../api/models/schema.ts";
import { filesFor, modelFolder, type ModelFolder } from "../model-folder.ts";
import { OPERATE } from "../operate-words.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { Choice, Field } from "../parts/fields.tsx";
import { useConsole } from "../state/console.ts";
import { bytesText, percentText } from "../text/format.ts";
import { visible } from "../text/visible.ts";
import { DropZone } from "../upload/drop-zone.tsx";
import { sendForm } from "../upload/send.ts";

const WORD = OPERATE.models;

interface Wanted {
  id: string;
  graph: string;
  maxTokens: string;
  queryPrefix: string;
  passagePrefix: string;
}

interface AddFolderProps {
  onClose: () => void;
  onDone: () => void;
}

/** A model's folder from this machine: what is needed of it is sent, and tried there. */
export function AddFolder({ onClose, onDone }: AddFolderProps) {
  const { api } = useConsole();
  const [folder, setFolder] = useState<ModelFolder | null>(null);
  const [wanted, setWanted] = useState<Wanted>({
    id: "",
    graph: "",
    maxTokens: "",
    queryPrefix: "",
    passagePrefix: "",
  });
  const [sent, setSent] = useState<number | null>(null);
  const over = useRef(new AbortController());
  useEffect(() => () => over.current.abort(), []);
  const files = folder === null ? [] : filesFor(folder, wanted.graph);
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  const act = async () => {
    setSent(0);
    const form = formOf(wanted);
    for (const { file, path } of files) form.append("files", file, path);
    const onProgress = (loaded: number) => setSent(bytes === 0 ? 1 : Math.min(1, loaded / bytes));
    try {
      await sendForm<Model>(api, "admin/models", form, { signal: over.current.signal, onProgress });
    } finally {
      setSent(null);
    }
    onDone();
  };
  const isReady = wanted.id.trim() !== "" && wanted.graph !== "";
  return (
    <Dialog title={WORD.addFolder} onClose={onClose}>
      <ActionForm submit={WORD.add} isReady={isReady} onClose={onClose} act={act}>
        <p>{WORD.folderHelp}</p>
        <DropZone
          onFiles={(dropped) => {
            const next = modelFolder(dropped);
            setFolder(next);
            setWanted({ ...wanted, id: wanted.id || next.name, graph: next.graphs[0] ?? "" });
          }}
        />
        {folder !== null && <p>{WORD.chosen(files.length, bytesText(bytes))}</p>}
        {folder !== null && folder.graphs.length === 0 && (
          <p class="failure" role="alert">
            {WORD.noGraph}
          </p>
        )}
        {folder !== null && folder.graphs.length > 1 && (
          <Choice
            label={WORD.graph}
            value={wanted.graph}
            options={folder.graphs.map((path) => [path, visible(path)] as const)}
            onChange={(graph) => setWanted({ ...wanted, graph })}
          />
        )}
        <Fields wanted={wanted} onChange={setWanted} />
        {sent !== null && <p role="status">{sent < 1 ? WORD.sending(percentText(sent)) : WORD.trying}</p>}
      </ActionForm>
    </Dialog>
  );
}

function formOf({ id, maxTokens, queryPrefix, passagePrefix }: Wanted): FormData {
  const form = new FormData();
  form.append("id", id.trim());
  if (maxTokens !== "") form.append("max_tokens", maxTokens);
  if (queryPrefix !== "") form.append("query_prefix", queryPrefix);
  if (passagePrefix !== "") form.append("passage_prefix", passagePrefix);
  return form;
}

function Fields({ wanted, onChange }: { wanted: Wanted; onChange: (wanted: Wanted) => void }) {
  return (
    <>
      <Field label={WORD.id}>
        <input
          name="model-id"
          value={wanted.id}
          maxLength={200}
          autoComplete="off"
          onInput={(event) => onChange({ ...wanted, id: event.currentTarget.value })}
        />
      </Field>
      <Field label={WORD.maxTokens}>
        <input
          type="number"
          min={16}
          value={wanted.maxTokens}
          onInput={(event) => onChange({ ...wanted, maxTokens: event.currentTarget.value })}
        />
      </Field>
      <Prefixes
        query={wanted.queryPrefix}
        passage={wanted.passagePrefix}
        onChange={(queryPrefix, passagePrefix) => onChange({ ...wanted, queryPrefix, passagePrefix })}
      />
    </>
  );
}

interface PrefixesProps {
  query: string;
  passage: string;
  onChange: (query: string, passage: string) => void;
}

/** What the model's card asks for in front of its texts. */
export function Prefixes({ query, passage, onChange }: PrefixesProps) {
  return (
    <>
      <Field label={WORD.queryPrefix}>
        <input
          value={query}
          maxLength={1000}
          placeholder={WORD.prefixHelp}
          onInput={(event) => onChange(event.currentTarget.value, passage)}
        />
      </Field>
      <Field label={WORD.passagePrefix}>
        <input value={passage} maxLength={1000} onInput={(event) => onChange(query, event.currentTarget.value)} />
      </Field>
    </>
  );
}
