import type { ComponentChildren, ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { type Loaded, useLoad } from "../state/use-load.ts";
import type { Rows } from "../state/use-rows.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";

/** What is loaded, or why it is not there: loading, refused, failed, old. */
export function Load<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  if (of.data === null) return of.error === null ? <Skeleton /> : <Failure error={of.error} retry={of.reload} />;
  return (
    <>
      {of.isStale && <Stale error={of.error} />}
      {children(of.data)}
    </>
  );
}

/** A page that few open: its script is fetched when somebody does, as soon as the server is there. */
export function Later({ name, page }: { name: string; page: () => Promise<ComponentType> }) {
  const loaded = useLoad(name, async () => ({ Page: await page().catch(notThere) }));
  return <Load of={loaded}>{({ Page }) => <Page />}</Load>;
}

function notThere(cause: unknown): never {
  const error = new ApiError("", { status: 0, code: "unreachable", requestId: "" });
  error.cause = cause;
  throw error;
}

/** The button for a page more of a list, where there is one. */
export function More({ of }: { of: Pick<Rows<unknown>, "data" | "loadMore"> }) {
  if (of.data?.hasMore !== true) return null;
  return (
    <button type="button" onClick={of.loadMore}>
      {WORDS.more}
    </button>
  );
}

/** Why what is shown is not newer. */
export function Stale({ error }: { error?: Error | null }) {
  const isBusy = error instanceof ApiError && error.status === 429;
  return (
    <p class="banner" role="status">
      {isBusy ? WORDS.tooMany : WORDS.stale}
    </p>
  );
}

const SOON_MS = 200;

/** What comes at once needs no sign that it is coming. */
export function Skeleton() {
  const [isShown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(true), SOON_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!isShown) return <div class="skeleton-space" />;
  return (
    <div class="skeleton" role="status">
      <span class="hidden">{WORDS.loading}</span>
      <i />
      <i />
      <i />
    </div>
  );
}

export function Failure({ error, retry }: { error: Error; retry?: () => void }) {
  const isForbidden = error instanceof ApiError && error.status === 403;
  const requestId = error instanceof ApiError ? error.requestId : "";
  return (
    <div class="failure" role="alert">
      {isForbidden && <p>{WORDS.forbidden}</p>}
      <p>{visible(WORDS.errorText(error))}</p>
      {requestId !== "" && <p class="quiet">{WORDS.requestId(requestId)}</p>}
      {retry !== undefined && !isForbidden && (
        <button type="button" onClick={retry}>
          {WORDS.retry}
        </button>
      )}
    </div>
  );
}
