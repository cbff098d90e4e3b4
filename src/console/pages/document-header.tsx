import type { Chunk } from "../../api/chunks/schema.ts";
import type { VectorStoreFile } from "../../api/attaching/schema.ts";
import { useState } from "preact/hooks";
import { save } from "../download.ts";
import { Failure } from "../parts/load.tsx";
import { Name } from "../parts/text.tsx";
import { useConsole } from "../state/console.ts";
import { bytesText, numberText } from "../text/format.ts";
import { visible, webAddress } from "../text/visible.ts";
import { WORDS } from "../words.ts";
import { FileState } from "./file-table.tsx";

const WORD = WORDS.document;

export function DocumentHeader({ file, chunks }: { file: VectorStoreFile; chunks: readonly Chunk[] }) {
  const { api } = useConsole();
  const [error, setError] = useState<Error | null>(null);
  const pages = Math.max(0, ...chunks.map(({ page_end: page }) => page ?? 0));
  const attributes = Object.entries(file.attributes ?? {});
  const download = async () => {
    try {
      save(await api.bytes(`files/${file.id}/content`), file.filename ?? file.id);
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };
  return (
    <header class="stack">
      <div class="row spread">
        <h2>
          <Name of={file.filename ?? file.id} />
        </h2>
        <button type="button" onClick={() => void download()}>
          {WORD.download}
        </button>
      </div>
      {error !== null && <Failure error={error} />}
      <p class="row">
        <FileState file={file} />
        <span>{bytesText(file.bytes ?? 0)}</span>
        <span>
          {numberText(chunks.length)} {WORD.chunks.toLowerCase()}
        </span>
        {pages > 0 && <span>{WORD.page(1, pages)}</span>}
      </p>
      {attributes.length > 0 && (
        <dl class="attributes" aria-label={WORD.attributes}>
          {attributes.map(([name, value]) => (
            <div key={name}>
              <dt>
                <Name of={name} />
              </dt>
              <dd>
                <Value of={value} />
              </dd>
            </div>
          ))}
        </dl>
      )}
      {(file.warnings ?? []).length > 0 && (
        <details>
          <summary>{WORD.warnings}</summary>
          <ul>
            {file.warnings?.map((warning) => (
              <li key={warning}>{visible(warning)}</li>
            ))}
          </ul>
        </details>
      )}
    </header>
  );
}

/** An address of the web may be opened, on purpose; its host is what one sees. */
function Value({ of }: { of: string | number | boolean }) {
  const address = webAddress(of);
  if (address === null) return <Name of={String(of)} />;
  return (
    <a href={address.href} target="_blank" rel="noopener noreferrer">
      <Name of={`${address.host}${address.pathname}`} />
    </a>
  );
}
