import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { Me } from "./schema.ts";
import type { MeService } from "./service.ts";

export function meOperations(me: MeService): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/v1/me",
        operationId: "getMe",
        summary: "Who am I?",
        description: "What the key of this request may do, and what this server can.",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        response: Me,
        returns: "The key that was sent",
      },
      ({ caller }) => me(caller),
    ),
  ];
}
