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
  | "ref_";

/** A new identifier with 142 random bits: it cannot be guessed or enumerated. */
export function newId(prefix: IdPrefix): string {
  return prefix + randomText(ID_CHARACTERS);
}
