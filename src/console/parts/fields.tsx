import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { announce } from "../state/live.ts";
import { WORDS } from "../words.ts";

export function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  );
}

export interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, word: string])[];
  onChange: (value: string) => void;
}

export function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <Field label={label}>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([one, word]) => (
          <option key={one} value={one}>
            {word}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** Copies a text, and says so for a moment. */
export function CopyButton({ text, label = WORDS.copy }: { text: () => string; label?: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    announce(WORDS.copied);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <button type="button" onClick={() => void copy().catch(() => {})}>
      {isCopied ? WORDS.copied : label}
    </button>
  );
}
