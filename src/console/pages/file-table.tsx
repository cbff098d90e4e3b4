import { useState } from "preact/hooks";
import type { VectorStoreFile } from "../../api/attaching/schema.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { Failure } from "../parts/load.tsx";
import { Bar, Name, State, stateKind, Time } from "../parts/text.tsx";
import { VirtualRows } from "../parts/virtual-rows.tsx";
import { addressOf } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import type { Files } from "../state/use-files.ts";
import { bytesText, numberText } from "../text/format.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";

const WORD = WORDS.files;

export function FileTable({ store, files }: { store: string; files: Files }) {
  const known = useConsole();
  const { rows, counts } = files;
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const canWrite = mayWrite(known);
  const isAll = rows.length > 0 && rows.every(({ id }) => chosen.has(id));
  const choose = (id: string, isChosen: boolean) => {
    const next = new Set(chosen);
    if (isChosen) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const head = (
    <thead>
      <tr>
        {canWrite && (
          <th scope="col">
            <input
              type="checkbox"
              aria-label={WORD.selectAll}
              checked={isAll}
              onChange={() => setChosen(isAll ? new Set() : new Set(rows.map(({ id }) => id)))}
            />
          </th>
        )}
        <th scope="col">{WORDS.store.name}</th>
        <th scope="col">{WORDS.store.state}</th>
        <th scope="col">{WORDS.store.chunks}</th>
        <th scope="col">{WORDS.store.size}</th>
        <th scope="col">{WORD.added}</th>
      </tr>
    </thead>
  );
  return (
    <>
      {canWrite && (
        <Actions
          store={store}
          chosen={rows.filter(({ id }) => chosen.has(id))}
          rows={rows}
          onDone={() => {
            setChosen(new Set());
            files.reload();
          }}
        />
      )}
      <VirtualRows
        rows={rows}
        label={WORDS.store.files}
        total={counts.total}
        head={head}
        onEnd={files.loadMore}
        row={(file) => (
          <Row
            key={file.id}
            store={store}
            file={file}
            choice={canWrite ? { isChosen: chosen.has(file.id), choose: (is) => choose(file.id, is) } : null}
          />
        )}
      />
      <p class="quiet">{WORD.total(rows.length, counts.total)}</p>
    </>
  );
}

interface RowProps {
  store: string;
  file: VectorStoreFile;
  choice: { isChosen: boolean; choose: (isChosen: boolean) => void } | null;
}

function Row({ store, file, choice }: RowProps) {
  const name = file.filename ?? file.id;
  return (
    <tr class="fixed">
      {choice !== null && (
        <td class="choice">
          <input
            type="checkbox"
            aria-label={WORD.select(visible(name))}
            checked={choice.isChosen}
            onChange={(event) => choice.choose(event.currentTarget.checked)}
          />
        </td>
      )}
      <th scope="row" data-label={WORDS.store.name} title={visible(String(file.attributes?.["path"] ?? name))}>
        <a href={addressOf({ page: "document", store, file: file.id })}>
          <Name of={name} />
        </a>
      </th>
      <td data-label={WORDS.store.state}>
        <FileState file={file} />
      </td>
      <td data-label={WORDS.store.chunks}>{numberText(file.chunks ?? 0)}</td>
      <td data-label={WORDS.store.size}>{bytesText(file.bytes ?? 0)}</td>
      <td data-label={WORD.added}>
        <Time at={file.created_at} />
      </td>
    </tr>
  );
}

export function FileState({ file }: { file: VectorStoreFile }) {
  const { status, progress, last_error: error, warnings = [] } = file;
  if (status === "in_progress" && progress !== undefined) {
    const word = WORD.stages[progress.stage] ?? progress.stage;
    return (
      <span class="row tight">
        <State kind="busy" word={word} />
        {progress.total > 0 && <Bar part={progress.done / progress.total} label={word} kind="busy" />}
      </span>
    );
  }
  const reason = error === null ? "" : visible(error.message);
  return (
    <span class="clip" title={reason}>
      <State kind={stateKind(status)} word={WORD.statuses[status] ?? status} />
      {reason !== "" && <span class="bad">: {reason}</span>}
      {warnings.length > 0 && (
        <span class="badge" title={warnings.map((one) => visible(one)).join("\n")}>
          {WORD.warnings(warnings.length)}
        </span>
      )}
    </span>
  );
}

interface ActionsProps {
  store: string;
  chosen: readonly VectorStoreFile[];
  rows: readonly VectorStoreFile[];
  onDone: () => void;
}

function Actions({ store, chosen, rows, onDone }: ActionsProps) {
  const { api } = useConsole();
  const [isRemoving, setRemoving] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const path = `vector_stores/${encodeURIComponent(store)}/files`;
  const mayRetry = ({ status }: VectorStoreFile) => status === "failed" || status === "cancelled";
  const retry = async (files: readonly VectorStoreFile[]) => {
    setError(null);
    try {
      for (const { id } of files) await api.send("POST", `${path}/${id}/retry`);
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    onDone();
  };
  const [chosenFailed, failed] = [chosen.filter(mayRetry), rows.filter(mayRetry)];
  return (
    <div class="row">
      {chosen.length > 0 && <span>{WORD.selected(chosen.length)}</span>}
      {chosen.length > 0 && (
        <button type="button" onClick={() => setRemoving(true)}>
          {WORD.remove}
        </button>
      )}
      {chosenFailed.length > 0 && (
        <button type="button" onClick={() => void retry(chosenFailed)}>
          {WORD.retry}
        </button>
      )}
      {chosen.length === 0 && failed.length > 0 && (
        <button type="button" onClick={() => void retry(failed)}>
          {WORD.retryFailed}
        </button>
      )}
      {error !== null && <Failure error={error} />}
      {isRemoving && (
        <RemoveFiles
          path={path}
          files={chosen}
          onClose={() => setRemoving(false)}
          onDone={() => {
            setRemoving(false);
            onDone();
          }}
        />
      )}
    </div>
  );
}

interface RemoveFilesProps {
  path: string;
  files: readonly VectorStoreFile[];
  onClose: () => void;
  onDone: () => void;
}

function RemoveFiles({ path, files, onClose, onDone }: RemoveFilesProps) {
  const { api } = useConsole();
  const [isWhole, setWhole] = useState(false);
  const act = async () => {
    for (const { id } of files) await api.send("DELETE", isWhole ? `files/${id}` : `${path}/${id}`);
    onDone();
  };
  return (
    <Dialog title={WORD.removeTitle(files.length)} onClose={onClose}>
      <ActionForm submit={WORD.remove} isDangerous onClose={onClose} act={act}>
        <p>{WORD.removeHelp}</p>
        <label class="check">
          <input type="checkbox" checked={isWhole} onChange={(event) => setWhole(event.currentTarget.checked)} />
          <span>{WORD.removeWhole}</span>
        </label>
      </ActionForm>
    </Dialog>
  );
}
