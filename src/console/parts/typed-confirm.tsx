import { useState } from "preact/hooks";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";
import { ActionForm, Dialog } from "./dialog.tsx";
import { Field } from "./fields.tsx";

export interface TypedConfirmProps {
  title: string;
  /** What goes, and that nothing brings it back. */
  help: string;
  /** To be typed, as it is shown: what cannot be seen cannot be typed. */
  name: string;
  submit: string;
  onClose: () => void;
  act: () => Promise<void>;
}

/** Before something that nothing brings back: its name is typed. */
export function TypedConfirm({ title, help, name, submit, onClose, act }: TypedConfirmProps) {
  const [typed, setTyped] = useState("");
  const shown = visible(name);
  return (
    <Dialog title={title} onClose={onClose}>
      <ActionForm submit={submit} isDangerous isReady={typed.trim() === shown.trim()} onClose={onClose} act={act}>
        <p>{help}</p>
        <Field label={WORDS.store.typeName(shown)}>
          <input
            name="typed"
            value={typed}
            autoComplete="off"
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </Field>
      </ActionForm>
    </Dialog>
  );
}
