import { AppError } from "../../errors.ts";
import { NO_BODY, SMALL_BODY } from "../../http/body-limit.ts";
import { RUN_KEY_ID } from "../../http/caller.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { ConsoleLink, ConsoleSession, ConsoleSessionBody } from "./schema.ts";

/** One-time links by which a person at the server's own machine opens the console without typing a key. */
export interface ConsoleLinks {
  /** A link that works once, within a minute. */
  mint(): Promise<{ code: string; url: string; expiresAt: number }>;
  /** The key that the code was good for; null for one that is unknown, used up or too old. */
  redeem(code: string): Promise<string | null>;
}

export function consoleOperations(links: ConsoleLinks): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/v1/console/session",
        operationId: "createConsoleSession",
        summary: "Exchange the code of a one-time link for a key",
        tag: "Lectern",
        role: "none",
        body: ConsoleSessionBody,
        bodyLimit: SMALL_BODY,
        response: ConsoleSession,
        returns: "The key",
        errors: ["invalid_api_key"],
        examples: { body: { code: "xSCkR2gvCvQLk4yhEDuGqQ" } },
      },
      async ({ body, headers }) => {
        const key = await links.redeem(body.code);
        if (key === null)
          throw new AppError(
            "invalid_api_key",
            'This link was used already or is too old. Make a new one on the server\'s machine: "lectern open".',
          );
        headers.set("cache-control", "no-store");
        return { object: "console.session", key };
      },
    ),
    operation(
      {
        method: "POST",
        path: "/v1/console/links",
        operationId: "createConsoleLink",
        summary: "Make a one-time link to the console",
        description: "For `lectern open`: only the key that the server leaves for verbs of its own user may.",
        tag: "Lectern",
        role: "admin",
        operatorOnly: true,
        bodyLimit: NO_BODY,
        response: ConsoleLink,
        returns: "The link, good for a minute and for once",
      },
      async ({ caller, headers }) => {
        // The key that comes of it would outlive the one that made it.
        if (caller.keyId !== RUN_KEY_ID)
          throw new AppError("permission_denied", "Only `lectern open` on the server's own machine makes such links.");
        const { code, url, expiresAt } = await links.mint();
        headers.set("cache-control", "no-store");
        return { object: "console.link", code, url, expires_at: expiresAt };
      },
    ),
  ];
}
