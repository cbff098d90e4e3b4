import { Type } from "@sinclair/typebox";
import { MAX_INPUTS } from "./schema.ts";

/** Of one text; the service counts tokens, and this bounds what it is given. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

export const OneText = Type.String({ maxLength: MAX_CHARACTERS });
export const ManyTexts = Type.Array(Type.String({ maxLength: MAX_CHARACTERS }), { maxItems: MAX_INPUTS });
export const Vectors = Type.Array(Type.Array(Type.Number()));
