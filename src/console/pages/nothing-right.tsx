import { useState } from "preact/hooks";
import type { SearchResult } from "../../api/search/schema.ts";
import { ActionForm, Dialog } from "../parts/dialog.tsx";
import { FileFinder, type FoundFile } from "../parts/file-finder.tsx";
import { type Answer, answerOf, type Judging } from "../state/judging.ts";
import { visible } from "../text/visible.ts";
import { QUALITY_WORDS } from "../words-quality.ts";

const WORD = QUALITY_WORDS.judging;

export interface NothingRightProps {
  store: string;
  hits: readonly SearchResult[];
  judging: Judging;
}

/** All that was found is no answer; what should have been found is looked for by its name. */
export function NothingRight({ store, hits, judging }: NothingRightProps) {
  const [isOpen, setOpen] = useState(false);
  const [right, setRight] = useState<FoundFile | null>(null);
  const close = () => {
    setOpen(false);
    setRight(null);
  };
  const act = async () => {
    const wrong = hits.filter((hit) => judging.gradeOf(hit) === null).map((hit) => answerOf(hit, 0));
    const answers: Answer[] = right === null ? wrong : [...wrong, { file_id: right.id, grade: 1 }];
    if (answers.length > 0) await judging.judge(answers);
    close();
  };
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        {WORD.nothingRight}
      </button>
      {isOpen && (
        <Dialog title={WORD.nothingRight} onClose={close}>
          <ActionForm submit={WORD.nothingSubmit} isReady={hits.length > 0 || right !== null} onClose={close} act={act}>
            <p>{WORD.nothingHelp}</p>
            <FileFinder store={store} onChoose={setRight} />
            {right !== null && <p role="status">{WORD.chosen(visible(right.filename))}</p>}
          </ActionForm>
        </Dialog>
      )}
    </>
  );
}
