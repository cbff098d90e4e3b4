import { useState } from "preact/hooks";
import type { Deletion } from "../../api/admin/schema.ts";
import { OPERATE } from "../operate-words.ts";
import { Failure, Load, More } from "../parts/load.tsx";
import { State, Time } from "../parts/text.tsx";
import { useConsole } from "../state/console.ts";
import { useRows } from "../state/use-rows.ts";
import { bytesText } from "../text/format.ts";

const WORD = OPERATE.health;

/** What was deleted, each with its proof. */
export function DeletionsSection() {
  const list = useRows<Deletion>("admin/deletions?limit=100");
  return (
    <section class="stack" aria-labelledby="deletions">
      <h2 id="deletions">{WORD.deletions}</h2>
      <p>{WORD.deletionsHelp}</p>
      <Load of={list}>
        {({ data: rows, hasMore }) => {
          if (rows.length === 0) return <p>{WORD.noDeletions}</p>;
          return (
            <>
              <Table rows={rows} />
              <p class="quiet">{OPERATE.loaded(rows.length, hasMore)}</p>
              <More of={list} />
            </>
          );
        }}
      </Load>
    </section>
  );
}

function Table({ rows }: { rows: readonly Deletion[] }) {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">{WORD.subject}</th>
          <th scope="col">{WORD.requested}</th>
          <th scope="col">{WORD.removed}</th>
          <th scope="col">{WORD.left}</th>
          <th scope="col">{WORD.verified}</th>
          <th scope="col">{WORD.actions}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.id} of={row} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ of }: { of: Deletion }) {
  const { api } = useConsole();
  const [checked, setChecked] = useState<Deletion | null>(null);
  const [isChecking, setChecking] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const deletion = checked ?? of;
  const { subject, removed } = deletion;
  const verify = async () => {
    setChecking(true);
    setError(null);
    try {
      setChecked(await api.send<Deletion>("POST", `admin/deletions/${encodeURIComponent(of.id)}/verify`));
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setChecking(false);
  };
  return (
    <tr>
      <th scope="row" data-label={WORD.subject}>
        {WORD.subjects[subject.type] ?? subject.type} <code>{subject.id}</code>
      </th>
      <td data-label={WORD.requested}>
        <Time at={deletion.requested_at} />
      </td>
      <td data-label={WORD.removed}>{WORD.removedText(removed.files, removed.chunks, bytesText(removed.bytes))}</td>
      <td data-label={WORD.left}>
        <Left of={deletion.remaining} />
        {deletion.unchecked !== null && <p class="quiet">{deletion.unchecked}</p>}
      </td>
      <td data-label={WORD.verified}>
        <Time at={deletion.verified_at} />
      </td>
      <td data-label={WORD.actions}>
        <div class="actions">
          <button type="button" disabled={isChecking} onClick={() => void verify()}>
            {WORD.verify}
          </button>
        </div>
        {error !== null && <Failure error={error} />}
      </td>
    </tr>
  );
}

/** Stored answers that cite it are the conversation's, and no rest of what was deleted. */
function Left({ of: remaining }: { of: Deletion["remaining"] }) {
  if (remaining === null) return <State kind="off" word={WORD.notChecked} />;
  const { answers: _, ...rest } = remaining;
  const left = Object.entries(rest).filter(([, count]) => count > 0);
  if (left.length === 0) return <State kind="good" word={WORD.nothingLeft} />;
  return <State kind="bad" word={WORD.somethingLeft(left.map(([what, count]) => `${count} ${what}`).join(", "))} />;
}
