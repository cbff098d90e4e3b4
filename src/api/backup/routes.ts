import { AppError } from "../../errors.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";

/** Begins a backup: the archive as pieces, and what must be called when it has been sent or given up. Null: not now. */
export type BeginBackup = () => Promise<{ pieces: AsyncGenerator<Uint8Array>; end(): Promise<void> } | null>;

/** `GET /v1/admin/backup` */
export function backupOperations(begin: BeginBackup): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/v1/admin/backup",
        operationId: "backup",
        summary: "Download a backup of everything",
        description:
          "One tar file, consistent as of the beginning of the request, taken while the server works. `lectern backup FILE` and `lectern restore FILE` are the easier way.",
        tag: "Administration",
        role: "admin",
        operatorOnly: true,
        bodyLimit: NO_BODY,
        response: { mediaType: "application/x-tar", description: "The backup" },
        errors: ["overloaded", "backup_elsewhere"],
      },
      async (call) => {
        const backup = await begin();
        if (backup === null) {
          throw new AppError("overloaded", "Another backup is being taken. Try again when it has ended.", {
            retryAfterSeconds: 30,
          });
        }
        call.keepOpen();
        const { pieces, end } = backup;
        const body = new ReadableStream<Uint8Array>({
          async pull(controller) {
            try {
              const next = await pieces.next();
              if (!next.done) return controller.enqueue(next.value);
              await end();
              controller.close();
            } catch (error) {
              await end();
              controller.error(error);
            }
          },
          async cancel() {
            await pieces.return(undefined);
            await end();
          },
        });
        const headers = {
          "content-type": "application/x-tar",
          "content-disposition": 'attachment; filename="lectern-backup.tar"',
        };
        return new Response(body, { headers });
      },
    ),
  ];
}
