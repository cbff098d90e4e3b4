import { Type } from "@sinclair/typebox";
import { unixSeconds } from "../../http/openai.ts";

export const ConsoleSessionBody = Type.Object(
  { code: Type.String({ minLength: 1, maxLength: 64, description: "Of a link; it works once." }) },
  { $id: "CreateConsoleSessionRequest", additionalProperties: false },
);

export const ConsoleSession = Type.Object(
  {
    object: Type.Literal("console.session"),
    key: Type.String({
      description:
        "An administrator's key that lives until the server stops; where servers share a database, for a day.",
    }),
  },
  { $id: "ConsoleSession" },
);

export const ConsoleLink = Type.Object(
  {
    object: Type.Literal("console.link"),
    code: Type.String(),
    url: Type.String({ description: "The console's address with the code, below `--public-url` where that is set." }),
    expires_at: unixSeconds("After this the code is worth nothing."),
  },
  { $id: "ConsoleLink" },
);
