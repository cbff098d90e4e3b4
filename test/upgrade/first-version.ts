/** What test/fixtures/data-v1.tar.gz holds. */
export interface StoredFile {
  id: string;
  name: string;
  status: string;
  attributes: Record<string, string | number | boolean>;
  /** Of its bytes. */
  sha256: string;
  /** What was indexed. */
  text: string;
}

export interface FirstVersion {
  /** Given by LECTERN_API_KEY; the others are kept in the directory as hashes. */
  adminKey: string;
  readKey: string;
  handbook: {
    id: string;
    files: StoredFile[];
    /** Names of the files found, the best first. */
    answers: { query: string; mode: string; names: string[] }[];
  };
  /** In its second generation. */
  notes: { id: string; batch: string; migration: string; files: string[] };
  empty: string;
  tenant: { id: string; key: string; store: string; file: string };
  deleted: string;
  detached: string;
}
