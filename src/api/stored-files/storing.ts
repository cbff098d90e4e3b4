import type { FileRow } from "../../storage/files.ts";
import type { Tables } from "../../storage/storage.ts";
import type { Incoming } from "./incoming.ts";
import type { Owner, Wanted } from "./space.ts";

export interface NewFile {
  owner: Owner;
  /** As it is shown, see `displayName`. */
  filename: string;
  mime: string | null;
  purpose: string;
  expiresAfterSeconds: number | null;
}

export interface CommitOptions {
  /** False where they were counted while they came. */
  areNew?: boolean;
  verify?: (stored: { bytes: number; md5: string }) => void;
  alongside?: (file: FileRow, tables: Tables) => Promise<void>;
}

/** How bytes become a file, for whoever has bytes. */
export interface FileStoring {
  /**
   * Begins to store bytes, if there is room for those that are announced beside what is stored and what is on its way.
   * @throws AppError `storage_limit_reached`, `insufficient_storage`
   */
  begin(wanted: Wanted): Promise<Incoming>;
  /**
   * Makes the written bytes a file: bytes first, then the row. `verify` may refuse the bytes by throwing, `alongside`
   * the whole; it runs in the row's transaction. Nothing is left after either.
   */
  commit(incoming: Incoming, file: NewFile, options?: CommitOptions): Promise<FileRow>;
}
