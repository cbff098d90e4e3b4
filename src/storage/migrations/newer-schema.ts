/** The database is of a newer Lectern, which says that this one must not use it. */
export class NewerSchemaError extends Error {
  override name = "NewerSchemaError";

  /** Schema versions. */
  readonly found: number;
  readonly known: number;

  constructor(found: number, known: number) {
    super(`schema version ${found}, this Lectern knows up to ${known}`);
    this.found = found;
    this.known = known;
  }
}
