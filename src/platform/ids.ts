import { randomBytes } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** `length` characters of [A-Za-z0-9], uniformly random (5.95 bits each). */
export function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    // Bytes of 248 and more are skipped, so that every character is equally likely.
    for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
  }
  return text;
}

const ID_CHARACTERS = 24;

export type IdPrefix =
  | "vs_"
  | "file-"
  | "vsfb_"
  | "upload_"
  | "part_"
  | "mig_"
  | "q_"
  | "key_"
  | "ten_"
  | "eval_"
  | "del_"
  | "req_"
  | "resp_"
  | "msg_"
  | "fs_"
  | "fc_"
  | "ref_"
  | "asst_"
  | "thread_"
  | "run_"
  | "step_"
  | "call_"
  | "conv_";

const PATH_PART = /^[A-Za-z0-9_-]{1,128}$/;

/** Whether a text can be an identifier of any kind: then it is one part of a path, and leads nowhere else. */
export function isId(text: string): boolean {
  return PATH_PART.test(text);
}

/**
 * The identifier, where it is about to become a part of a path. Throws for any other text: identifiers are made here, but
 * they are read from a database, which may have been written elsewhere.
 */
export function pathPart(id: string): string {
  if (!isId(id)) throw new Error(`${JSON.stringify(id.slice(0, 40))} is no identifier and names no file`);
  return id;
}

/** A new identifier with 142 random bits: it cannot be guessed or enumerated. */
export function newId(prefix: IdPrefix): string {
  return prefix + randomText(ID_CHARACTERS);
}
