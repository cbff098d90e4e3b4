import { Type } from "@sinclair/typebox";
import { oneOf } from "../http/openai.ts";

/** What an answer says of how it was made: an addition to OpenAI's objects. */
export const LecternNote = Type.Object(
  {
    answered_by: oneOf(["model", "extractive"], {
      description: "`extractive`: quoted from the documents, without a language model.",
    }),
    model: Type.String(),
    rounds: Type.Integer({ description: "Calls of a language model." }),
    ignored: Type.Array(Type.String(), { description: "Members of the request without effect." }),
    warnings: Type.Array(Type.String()),
  },
  { $id: "LecternNote" },
);
