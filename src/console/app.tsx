import { useEffect, useMemo, useState } from "preact/hooks";
import type { Me } from "../api/me/schema.ts";
import { apiBase, createApi } from "./api.ts";
import { Failure, Skeleton } from "./parts/load.tsx";
import { Shell } from "./shell.tsx";
import { SignIn } from "./pages/sign-in.tsx";
import { ConsoleContext } from "./state/console.ts";
import { forgetKey, keepKey, keptKey, redeem } from "./state/session.ts";
import { useLoad } from "./state/use-load.ts";
import { Uploads } from "./upload/uploads.ts";
import { WORDS } from "./words.ts";

const BASE = apiBase(location.href);

/** Somebody who is signed in sees the pages, anybody else the field for a key. */
export function App({ code }: { code: string | null }) {
  const [key, setKey] = useState(code === null ? keptKey() : null);
  const [reason, setReason] = useState("");
  const [isRedeeming, setRedeeming] = useState(code !== null);
  useEffect(() => {
    if (code === null) return;
    redeem(BASE, code)
      .then((made) => {
        keepKey(made);
        setKey(made);
      })
      .catch((error: unknown) => setReason(WORDS.errorText(error)))
      .finally(() => setRedeeming(false));
  }, [code]);
  if (isRedeeming) return <main class="narrow">{WORDS.signIn.link}</main>;
  if (key === null) {
    const signIn = (given: string, isKept: boolean) => {
      if (isKept) keepKey(given);
      setReason("");
      setKey(given);
    };
    return <SignIn base={BASE} reason={reason} onKey={signIn} />;
  }
  const signOut = (why: string) => {
    forgetKey();
    setReason(why);
    setKey(null);
  };
  return <SignedIn key={key} apiKey={key} signOut={signOut} />;
}

function SignedIn({ apiKey, signOut }: { apiKey: string; signOut: (why: string) => void }) {
  const api = useMemo(
    () => createApi({ base: BASE, key: apiKey, onRefusedKey: () => signOut(WORDS.signIn.ended) }),
    [apiKey],
  );
  const uploads = useMemo(() => new Uploads(api), [api]);
  const me = useLoad("me", (signal) => api.get<Me>("me", signal));
  const known = useMemo(() => (me.data === null ? null : { api, me: me.data, uploads }), [api, me.data, uploads]);
  if (known === null)
    return (
      <main class="narrow">{me.error === null ? <Skeleton /> : <Failure error={me.error} retry={me.reload} />}</main>
    );
  return (
    <ConsoleContext.Provider value={known}>
      <Shell signOut={() => signOut("")} />
    </ConsoleContext.Provider>
  );
}
