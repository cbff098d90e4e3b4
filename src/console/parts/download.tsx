import { useState } from "preact/hooks";
import { save } from "../download.ts";
import { WORDS } from "../words.ts";
import { Failure } from "./load.tsx";

export interface DownloadProps {
  label: string;
  name: string;
  /** Asked for when it is wanted. */
  content: () => Promise<Blob>;
}

/** Fetches something, with the key that an address alone does not have, and hands it to the browser to keep. */
export function Download({ label, name, content }: DownloadProps) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const fetchIt = async () => {
    setBusy(true);
    setError(null);
    try {
      save(await content(), name);
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" disabled={isBusy} onClick={() => void fetchIt()}>
        {isBusy ? WORDS.loading : label}
      </button>
      {error !== null && <Failure error={error} />}
    </>
  );
}
