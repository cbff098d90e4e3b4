import type { Destination } from "./rtf-words.ts";

/** What a group of RTF sets, and what it begins with. */
export interface State {
  destination: Destination;
  font: number;
  /** Bytes that stand for a \u character in readers without Unicode. */
  fallback: number;
  hidden: boolean;
  isRaised: boolean;
  /** The group is an element of the open formula. */
  isElement: boolean;
  /** The group is the number or bullet of a paragraph, whose own settings say nothing of the paragraph. */
  isMark: boolean;
}

export const FIRST_STATE: Readonly<State> = {
  destination: "body",
  font: -1,
  fallback: 1,
  hidden: false,
  isRaised: false,
  isElement: false,
  isMark: false,
};
