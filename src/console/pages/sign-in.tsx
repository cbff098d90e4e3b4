import { useState } from "preact/hooks";
import type { Me } from "../../api/me/schema.ts";
import { ApiError, createApi } from "../api.ts";
import { Field } from "../parts/fields.tsx";
import { WORDS } from "../words.ts";

export interface SignInProps {
  base: string;
  /** Why one is here, if one was signed in before. */
  reason: string;
  onKey: (key: string, isKept: boolean) => void;
}

export function SignIn({ base, reason, onKey }: SignInProps) {
  const [problem, setProblem] = useState(reason);
  const [isTrying, setTrying] = useState(false);
  const words = WORDS.signIn;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const key = String(form.get("key") ?? "").trim();
    if (key === "") return setProblem(words.empty);
    setTrying(true);
    try {
      await createApi({ base, key, onRefusedKey: () => {} }).get<Me>("me");
      onKey(key, form.get("keep") !== null);
    } catch (error) {
      setProblem(problemText(error));
      setTrying(false);
    }
  };
  return (
    <main class="narrow">
      <h1>{words.title}</h1>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {problem !== "" && (
          <p class="failure" role="alert">
            {problem}
          </p>
        )}
        <Field label={words.key}>
          <input name="key" type="password" autoComplete="off" spellcheck={false} autoFocus />
        </Field>
        <label class="check">
          <input name="keep" type="checkbox" defaultChecked />
          <span>{words.keep}</span>
        </label>
        <div class="row">
          <button type="submit" class="primary" disabled={isTrying}>
            {words.submit}
          </button>
        </div>
        <p class="quiet">{words.help}</p>
      </form>
    </main>
  );
}

function problemText(error: unknown): string {
  if (!(error instanceof ApiError)) return WORDS.errorText(error);
  if (error.status === 0) return WORDS.signIn.away;
  return error.status === 401 ? WORDS.signIn.wrong : error.message;
}
