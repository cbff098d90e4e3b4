import license from "../../../LICENSE" with { type: "text" };
import notice from "../../../NOTICE" with { type: "text" };
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";

/** `GET /v1/licences` */
export function licenceOperations(): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/v1/licences",
        operationId: "getLicences",
        summary: "Licences of this program and of what is in it",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        response: { mediaType: "text/plain", description: "The works that the executable contains, then its licence." },
      },
      () => new Response(`${notice}\n\n${license}`, { headers: { "content-type": "text/plain; charset=utf-8" } }),
    ),
  ];
}
