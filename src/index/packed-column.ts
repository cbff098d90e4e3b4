import { Bitset } from "./bitset.ts";
import { Column, type Kept } from "./column.ts";
import type { RangeOp, Scalar } from "./filter.ts";
import type { SectionReader, SectionWriter } from "./image-sections.ts";

/**
 * A column that few of many members have: it takes memory for those that have the key, not for every ordinal up to the
 * highest of them. Its members are numbered anew, in a column of their own.
 */
export class PackedColumn {
  #column = new Column();
  readonly #placeOf = new Map<number, number>();
  readonly #members: number[] = [];
  readonly #free: number[] = [];

  get present(): number {
    return this.#column.present;
  }

  get byteLength(): number {
    return this.#column.byteLength + this.#members.length * 56;
  }

  get(member: number): Scalar | undefined {
    const place = this.#placeOf.get(member);
    return place === undefined ? undefined : this.#column.get(place);
  }

  set(member: number, value: Scalar): void {
    let place = this.#placeOf.get(member);
    if (place === undefined) {
      place = this.#free.pop() ?? this.#members.length;
      this.#members[place] = member;
      this.#placeOf.set(member, place);
    }
    this.#column.set(place, value);
  }

  clear(member: number): void {
    const place = this.#placeOf.get(member);
    if (place === undefined) return;
    this.#column.clear(place);
    this.#placeOf.delete(member);
    this.#free.push(place);
  }

  having(): Kept {
    return this.#unpacked(this.#column.having());
  }

  oneOf(values: readonly Scalar[]): Kept {
    return this.#unpacked(this.#column.oneOf(values));
  }

  inRange(op: RangeOp, bound: Scalar): Kept {
    return this.#unpacked(this.#column.inRange(op, bound));
  }

  forEach(visit: (member: number, value: Scalar) => void): void {
    for (const [member, place] of this.#placeOf) visit(member, this.#column.get(place)!);
  }

  /** Only of a column that nobody ever left. */
  writeTo(image: SectionWriter): void {
    image.array("members", Int32Array.from(this.#members));
    this.#column.writeTo(image.part("column"));
  }

  static from(image: SectionReader): PackedColumn {
    const packed = new PackedColumn();
    image.array("members", "i32").forEach((member, place) => {
      packed.#members.push(member);
      packed.#placeOf.set(member, place);
    });
    packed.#column = Column.from(image.part("column"));
    return packed;
  }

  #unpacked(kept: Kept): Kept {
    return {
      atMost: kept.atMost,
      isExact: kept.isExact,
      fill: (into) => {
        const places = new Bitset(this.#members.length);
        kept.fill(places);
        places.forEach((place) => into.add(this.#members[place]!));
      },
      has: (member) => {
        const place = this.#placeOf.get(member);
        return place !== undefined && kept.has(place);
      },
    };
  }
}
