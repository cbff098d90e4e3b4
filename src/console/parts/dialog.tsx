import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { WORDS } from "../words.ts";
import { Failure } from "./load.tsx";

export interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** Over the page, with the focus inside until it is closed. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  // At once: what is typed meanwhile would go elsewhere.
  useLayoutEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

export interface ActionFormProps {
  children: ComponentChildren;
  submit: string;
  isDangerous?: boolean;
  isReady?: boolean;
  onClose: () => void;
  /** Its failure is shown, and the form stays. */
  act: () => Promise<void>;
}

/** The inside of a dialog that does something: fields, what went wrong, two buttons. */
export function ActionForm({ children, submit, isDangerous = false, isReady = true, onClose, act }: ActionFormProps) {
  const [isActing, setActing] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const run = async (event: Event) => {
    event.preventDefault();
    if (isActing || !isReady) return;
    setActing(true);
    setError(null);
    try {
      await act();
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
      setActing(false);
    }
  };
  return (
    <form class="stack" onSubmit={(event) => void run(event)}>
      {children}
      {error !== null && <Failure error={error} />}
      <div class="row end">
        <button type="button" onClick={onClose}>
          {WORDS.cancel}
        </button>
        <button type="submit" class={isDangerous ? "danger" : "primary"} disabled={isActing || !isReady}>
          {submit}
        </button>
      </div>
    </form>
  );
}
