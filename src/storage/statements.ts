import type { Database as Connection, Statement } from "bun:sqlite";
import type { Param } from "./sql.ts";

type AnyStatement = Statement<unknown, Param[]>;

/** A connection's statements, each prepared once. The texts are those of the table files: a few hundred. */
export class Statements {
  readonly #connection: Connection;
  readonly #byText = new Map<string, AnyStatement>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  of(text: string): AnyStatement {
    let statement = this.#byText.get(text);
    if (statement === undefined) {
      statement = this.#connection.prepare<unknown, Param[]>(text);
      this.#byText.set(text, statement);
    }
    return statement;
  }

  finalize(): void {
    for (const statement of this.#byText.values()) statement.finalize();
    this.#byText.clear();
  }
}
