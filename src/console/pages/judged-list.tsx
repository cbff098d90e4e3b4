import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Judgment } from "../../api/judgment-schema.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { Download } from "../parts/download.tsx";
import { Failure, Load, More } from "../parts/load.tsx";
import { Name } from "../parts/text.tsx";
import { mayWrite, useConsole } from "../state/console.ts";
import { exportLines, importLines, linesOf } from "../state/judged-lines.ts";
import { announce } from "../state/live.ts";
import type { Rows } from "../state/use-rows.ts";
import { visible } from "../text/visible.ts";
import { QUALITY_WORDS } from "../words-quality.ts";
import { JudgmentDialog } from "./judgment-dialog.tsx";

const WORD = QUALITY_WORDS.quality;

/** What should be found in a store: adding, changing, taking along. */
export function JudgedList({ store, rows }: { store: string; rows: Rows<Judgment> }) {
  const known = useConsole();
  const isWriter = mayWrite(known);
  const [edited, setEdited] = useState<Pick<Judgment, "query" | "relevant"> | null>(null);
  const [removed, setRemoved] = useState<Judgment | null>(null);
  const path = `vector_stores/${encodeURIComponent(store)}/judgments`;
  const done = () => {
    setEdited(null);
    setRemoved(null);
    rows.reload();
  };
  const remove = async () => {
    if (removed !== null) await known.api.send("DELETE", `${path}/${removed.id}`);
    done();
  };
  return (
    <section class="stack" aria-label={WORD.judged}>
      <h2>{WORD.judged}</h2>
      <Files store={store} onImported={rows.reload}>
        {isWriter && (
          <button type="button" onClick={() => setEdited({ query: "", relevant: [] })}>
            {WORD.addQuery}
          </button>
        )}
      </Files>
      <Load of={rows}>
        {({ data }) => (
          <>
            {data.length === 0 && <p>{WORD.nothingJudged}</p>}
            {data.length > 0 && <Table judgments={data} isWriter={isWriter} onEdit={setEdited} onRemove={setRemoved} />}
            <More of={rows} />
          </>
        )}
      </Load>
      {edited !== null && (
        <JudgmentDialog
          store={store}
          {...edited}
          isFixed={edited.query !== ""}
          onClose={() => setEdited(null)}
          onDone={done}
        />
      )}
      {removed !== null && (
        <Dialog title={WORD.removeTitle} onClose={() => setRemoved(null)}>
          <ActionForm submit={WORD.remove} isDangerous onClose={() => setRemoved(null)} act={remove}>
            <p>
              <q>{visible(removed.query)}</q>
            </p>
            <p>{WORD.removeHelp}</p>
          </ActionForm>
        </Dialog>
      )}
    </section>
  );
}

interface TableProps {
  judgments: readonly Judgment[];
  isWriter: boolean;
  onEdit: (judgment: Judgment) => void;
  onRemove: (judgment: Judgment) => void;
}

function Table({ judgments, isWriter, onEdit, onRemove }: TableProps) {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">{QUALITY_WORDS.judging.query}</th>
          <th scope="col">{QUALITY_WORDS.judging.answers}</th>
          {isWriter && <th scope="col">{WORD.actions}</th>}
        </tr>
      </thead>
      <tbody>
        {judgments.map((one) => (
          <tr key={one.id}>
            <th scope="row">
              <Name of={one.query} />
            </th>
            <td data-label={QUALITY_WORDS.judging.answers}>
              <ul class="plain">
                {one.relevant.map(({ file_id: file, filename, chunk_id: chunk, grade }) => (
                  <li key={`${file} ${chunk}`}>
                    <Name of={WORD.answer(filename ?? file ?? chunk ?? "", grade)} />
                    {chunk !== undefined && <span class="quiet"> {QUALITY_WORDS.judging.chunk}</span>}
                    {filename === null && <span class="quiet"> {QUALITY_WORDS.judging.gone}</span>}
                  </li>
                ))}
              </ul>
            </td>
            {isWriter && (
              <td data-label={WORD.actions}>
                <div class="actions">
                  <button type="button" aria-label={WORD.editOne(visible(one.query))} onClick={() => onEdit(one)}>
                    {WORD.edit}
                  </button>
                  <button type="button" aria-label={WORD.removeOne(visible(one.query))} onClick={() => onRemove(one)}>
                    {WORD.remove}
                  </button>
                </div>
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface FilesProps {
  store: string;
  onImported: () => void;
  children: ComponentChildren;
}

/** Taking judged queries in and along, as JSON Lines. */
function Files({ store, onImported, children }: FilesProps) {
  const known = useConsole();
  const chooser = useRef<HTMLInputElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<string | Error>("");
  const read = async (input: HTMLInputElement) => {
    const file = input.files?.[0];
    if (file === undefined) return;
    setBusy(true);
    setOutcome("");
    try {
      const { queries, unknown } = await importLines(known.api, store, linesOf(await file.text()));
      const said = WORD.imported(
        queries,
        unknown.map((name) => visible(name)),
      );
      setOutcome(said);
      announce(said);
      onImported();
    } catch (thrown) {
      setOutcome(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setBusy(false);
    input.value = "";
  };
  return (
    <>
      <div class="row">
        {children}
        {mayWrite(known) && (
          <button type="button" disabled={isBusy} onClick={() => chooser.current?.click()}>
            {WORD.import}
          </button>
        )}
        <Download
          label={WORD.export}
          name="judged.jsonl"
          content={async () => new Blob([await exportLines(known.api, store)])}
        />
      </div>
      <input
        class="judged-file"
        type="file"
        accept=".jsonl,.ndjson,.json,.txt"
        hidden
        ref={chooser}
        onChange={(event) => void read(event.currentTarget)}
      />
      {typeof outcome === "string" ? outcome !== "" && <p role="status">{outcome}</p> : <Failure error={outcome} />}
    </>
  );
}
