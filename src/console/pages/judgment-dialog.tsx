import { useState } from "preact/hooks";
import type { ShownRelevant } from "../../api/judgment-schema.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { Field } from "../parts/fields.tsx";
import { FileFinder } from "../parts/file-finder.tsx";
import { Name } from "../parts/text.tsx";
import { useConsole } from "../state/console.ts";
import { visible } from "../text/visible.ts";
import { QUALITY_WORDS } from "../words-quality.ts";

const WORD = QUALITY_WORDS.judging;

export interface JudgmentDialogProps {
  store: string;
  query: string;
  relevant: readonly ShownRelevant[];
  /** The query is not to be changed: it names what is judged. */
  isFixed?: boolean;
  onClose: () => void;
  onDone: () => void;
}

/** A query with what answers it, as a list that is saved whole. */
export function JudgmentDialog({ store, relevant, isFixed = false, onClose, onDone, ...given }: JudgmentDialogProps) {
  const { api } = useConsole();
  const [query, setQuery] = useState(given.query);
  const [answers, setAnswers] = useState(relevant);
  const isReady = query.trim() !== "" && answers.some(({ grade }) => grade > 0);
  const act = async () => {
    const sent = answers.map(({ file_id: file, chunk_id: chunk, grade }) =>
      chunk === undefined ? { file_id: file, grade } : { chunk_id: chunk, grade },
    );
    const path = `vector_stores/${encodeURIComponent(store)}/judgments`;
    await api.send("POST", path, { judgments: [{ query, relevant: sent }] });
    onDone();
  };
  const add = ({ id, filename }: { id: string; filename: string }) => {
    const isThere = answers.some(({ file_id: file, chunk_id: chunk }) => file === id && chunk === undefined);
    if (!isThere) setAnswers([...answers, { file_id: id, filename, grade: 1 }]);
  };
  return (
    <Dialog title={WORD.edit} onClose={onClose}>
      <ActionForm submit={WORD.save} isReady={isReady} onClose={onClose} act={act}>
        <Field label={WORD.query}>
          <input
            name="judged-query"
            value={query}
            maxLength={8192}
            readOnly={isFixed}
            onInput={(event) => setQuery(event.currentTarget.value)}
          />
        </Field>
        <h3>{WORD.answers}</h3>
        {answers.length === 0 && <p>{WORD.none}</p>}
        <ul class="plain stack">
          {answers.map((answer, at) => (
            <AnswerRow
              key={`${answer.file_id} ${answer.chunk_id}`}
              answer={answer}
              onGrade={(grade) => setAnswers(answers.with(at, { ...answer, grade }))}
              onDrop={() => setAnswers(answers.toSpliced(at, 1))}
            />
          ))}
        </ul>
        <p class="quiet">{WORD.gradeHelp}</p>
        <FileFinder store={store} onChoose={add} />
      </ActionForm>
    </Dialog>
  );
}

interface AnswerRowProps {
  answer: ShownRelevant;
  onGrade: (grade: number) => void;
  onDrop: () => void;
}

function AnswerRow({ answer, onGrade, onDrop }: AnswerRowProps) {
  const name = visible(answer.filename ?? answer.file_id ?? answer.chunk_id ?? "");
  return (
    <li class="row spread">
      <span class="grow">
        <Name of={name} />
        {answer.chunk_id !== undefined && <span class="quiet"> {WORD.chunk}</span>}
        {answer.filename === null && <span class="quiet"> {WORD.gone}</span>}
      </span>
      <input
        type="number"
        min={0}
        max={1000}
        step="any"
        aria-label={WORD.grade(name)}
        value={answer.grade}
        onChange={(event) => onGrade(Math.min(1000, Math.max(0, Number(event.currentTarget.value) || 0)))}
      />
      <button type="button" aria-label={WORD.drop(name)} onClick={onDrop}>
        {WORD.dropWord}
      </button>
    </li>
  );
}
