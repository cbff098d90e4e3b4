import { doubled, grown, memoryOf, type SectionReader, type SectionWriter, withRoom } from "./image-sections.ts";

/**
 * Which vectors (slots) are whose (owners). An owner brings vectors; of those that stand before them it may share the last
 * ones, which others brought: windows of a file that several of its chunks contain.
 *
 * Slots are dense: removing moves the last one into the hole. Memory: 8 bytes a slot, 4 an owner, and 10 more an owner as
 * soon as any shares.
 */
export class SlotOwners {
  #count = 0;
  #owners = 0;
  #ownerOf = new Int32Array(64); // by slot: who brought it
  #nextSlot = new Int32Array(64); // by slot; the one that the same owner brought before + 1, 0 = none
  #lastSlot = new Int32Array(64); // by owner; slot + 1, 0 = none
  #runs: Runs | null = null;

  /** Slots are 0 … count-1. */
  get count(): number {
    return this.#count;
  }

  /** Owners with vectors. */
  get owners(): number {
    return this.#owners;
  }

  /** Owners are below this. */
  get limit(): number {
    return this.#lastSlot.length;
  }

  /** Whether a vector may have several owners. */
  get isShared(): boolean {
    return this.#runs !== null;
  }

  get byteLength(): number {
    return memoryOf(this.#ownerOf, this.#nextSlot, this.#lastSlot) + (this.#runs?.byteLength ?? 0);
  }

  writeTo(image: SectionWriter): void {
    image.value("count", this.#count);
    image.value("owners", this.#owners);
    image.value("isShared", Number(this.isShared));
    const slots = withRoom(this.#count);
    const owners = withRoom(this.#lastSlot.length);
    image.array("ownerOf", this.#ownerOf.subarray(0, this.#count), slots);
    image.array("nextSlot", this.#nextSlot.subarray(0, this.#count), slots);
    image.array("lastSlot", this.#lastSlot, owners);
    if (this.#runs === null) return;
    image.array("shared", this.#runs.shared, owners);
    image.array("previous", this.#runs.previous, owners);
    image.array("next", this.#runs.next, owners);
  }

  static from(image: SectionReader): SlotOwners {
    const owners = new SlotOwners();
    owners.#count = image.number("count");
    owners.#owners = image.number("owners");
    owners.#ownerOf = image.array("ownerOf", "i32");
    owners.#nextSlot = image.array("nextSlot", "i32");
    owners.#lastSlot = image.array("lastSlot", "i32");
    if (image.number("isShared") === 0) return owners;
    owners.#runs = new Runs(0);
    owners.#runs.shared = image.array("shared", "u16");
    owners.#runs.previous = image.array("previous", "i32");
    owners.#runs.next = image.array("next", "i32");
    return owners;
  }

  has(owner: number): boolean {
    return owner < this.#lastSlot.length && (this.#lastSlot[owner] !== 0 || (this.#runs?.shared[owner] ?? 0) > 0);
  }

  /** By slot: who brought the vector. For reading, until the next change. */
  get bringers(): Int32Array {
    return this.#ownerOf;
  }

  /** Who brought the vector. */
  ownerOf(slot: number): number {
    return this.#ownerOf[slot]!;
  }

  /** Gives a new owner so many slots, the next ones, and the last `shared` of those of `previous` and whoever was before it. */
  add(owner: number, slots: number, { previous, shared }: Shared): void {
    if (owner >= this.#lastSlot.length) this.#growOwners(owner + 1);
    const isNew = !this.has(owner);
    for (let i = 0; i < slots; i++) {
      const slot = this.#count++;
      if (slot >= this.#ownerOf.length) {
        this.#ownerOf = grown(this.#ownerOf, doubled(this.#ownerOf.length, slot + 1));
        this.#nextSlot = grown(this.#nextSlot, doubled(this.#nextSlot.length, slot + 1));
      }
      this.#ownerOf[slot] = owner;
      this.#nextSlot[slot] = this.#lastSlot[owner]!;
      this.#lastSlot[owner] = slot + 1;
    }
    if (shared > 0 && previous >= 0) {
      this.#runs ??= new Runs(this.#lastSlot.length);
      this.#runs.link(owner, previous, shared);
    }
    if (isNew && this.has(owner)) this.#owners++;
  }

  /** Removes what the owner brought, for all who share it; `move` is told which slot takes the place of which. */
  remove(owner: number, move: (from: number, to: number) => void): void {
    if (this.has(owner)) this.#owners--;
    const next = this.#runs?.unlink(owner) ?? -1;
    if (next >= 0 && !this.has(next)) this.#owners--;
    if (owner >= this.#lastSlot.length) return;
    while (this.#lastSlot[owner] !== 0) {
      const slot = this.#lastSlot[owner]! - 1;
      this.#lastSlot[owner] = this.#nextSlot[slot]!;
      const last = --this.#count;
      if (slot === last) continue;
      move(last, slot);
      this.#moveSlot(last, slot);
    }
  }

  /** The slots that the owner brought, the last first. */
  forEachOwn(owner: number, visit: (slot: number) => void): void {
    if (owner >= this.#lastSlot.length) return;
    for (let at = this.#lastSlot[owner]!; at !== 0; at = this.#nextSlot[at - 1]!) visit(at - 1);
  }

  /** The slot of an owner that has no other; -1 for any other owner, and where owners share. */
  onlySlotOf(owner: number): number {
    if (this.#runs !== null || owner >= this.#lastSlot.length) return -1;
    const last = this.#lastSlot[owner]!;
    return last !== 0 && this.#nextSlot[last - 1] === 0 ? last - 1 : -1;
  }

  /** All slots of the owner, the last first. */
  forEachSlot(owner: number, visit: (slot: number) => void): void {
    if (this.#runs === null) return this.forEachOwn(owner, visit);
    this.forEachSource(owner, (source, most) => {
      let left = most;
      if (source >= this.#lastSlot.length) return;
      for (let at = this.#lastSlot[source]!; at !== 0 && left > 0; at = this.#nextSlot[at - 1]!, left--) visit(at - 1);
    });
  }

  /** Who brought the owner's vectors, and how many, the last, of those that each brought are its: itself first. */
  forEachSource(owner: number, visit: (source: number, count: number) => void): void {
    visit(owner, this.ownCount(owner));
    if (this.#runs === null) return;
    const { shared, previous } = this.#runs;
    let left = shared[owner] ?? 0;
    for (let at = previous[owner] ?? 0; at !== 0 && left > 0; at = previous[at - 1]!) {
      const count = Math.min(left, this.ownCount(at - 1));
      if (count > 0) visit(at - 1, count);
      left -= count;
    }
  }

  /** Everybody whose vector it is. */
  forEachOwner(slot: number, visit: (owner: number) => void): void {
    const owner = this.#ownerOf[slot]!;
    if (this.#runs === null) return visit(owner);
    let behind = 0;
    for (let at = this.#lastSlot[owner]!; at !== slot + 1 && at !== 0; at = this.#nextSlot[at - 1]!) behind++;
    this.forEachSharer(owner, behind, visit);
  }

  /** Everybody who has the vector that `owner` brought, `behind` others after it. */
  forEachSharer(owner: number, behind: number, visit: (owner: number) => void): void {
    visit(owner);
    if (this.#runs === null) return;
    const { shared, next } = this.#runs;
    let after = behind;
    for (let at = next[owner] ?? 0; at !== 0 && shared[at - 1]! > after; at = next[at - 1]!) {
      visit(at - 1);
      after += this.ownCount(at - 1);
    }
  }

  /** How many the owner brought. */
  ownCount(owner: number): number {
    if (owner >= this.#lastSlot.length) return 0;
    let count = 0;
    for (let at = this.#lastSlot[owner]!; at !== 0; at = this.#nextSlot[at - 1]!) count++;
    return count;
  }

  #moveSlot(from: number, to: number): void {
    const owner = this.#ownerOf[from]!;
    this.#ownerOf[to] = owner;
    this.#nextSlot[to] = this.#nextSlot[from]!;
    if (this.#lastSlot[owner] === from + 1) {
      this.#lastSlot[owner] = to + 1;
      return;
    }
    let at = this.#lastSlot[owner]!;
    // Ends also where the file that these lie on lost its pages.
    while (at > 0 && this.#nextSlot[at - 1] !== from + 1) at = this.#nextSlot[at - 1]!;
    this.#nextSlot[at - 1] = to + 1;
  }

  #growOwners(size: number): void {
    this.#lastSlot = grown(this.#lastSlot, doubled(this.#lastSlot.length, size));
    this.#runs?.grow(this.#lastSlot.length);
  }
}

/** What a new owner shares with those before it. */
export interface Shared {
  /** Who came before it; -1 for nobody. */
  readonly previous: number;
  readonly shared: number;
}

export const NOT_SHARED: Shared = { previous: -1, shared: 0 };

/** The order in which owners that share came, by owner. */
class Runs {
  shared: Uint16Array<ArrayBuffer>;
  previous: Int32Array<ArrayBuffer>; // owner + 1, 0 = none
  next: Int32Array<ArrayBuffer>;

  constructor(size: number) {
    this.shared = new Uint16Array(size);
    this.previous = new Int32Array(size);
    this.next = new Int32Array(size);
  }

  get byteLength(): number {
    return memoryOf(this.shared, this.previous, this.next);
  }

  grow(size: number): void {
    this.shared = grown(this.shared, size);
    this.previous = grown(this.previous, doubled(this.previous.length, size));
    this.next = grown(this.next, doubled(this.next.length, size));
  }

  link(owner: number, previous: number, shared: number): void {
    this.shared[owner] = shared;
    this.previous[owner] = previous + 1;
    this.next[previous] = owner + 1;
  }

  /** Returns who shared with it and does so no longer; -1 for nobody. */
  unlink(owner: number): number {
    if (owner >= this.shared.length) return -1;
    const [before, after] = [this.previous[owner]!, this.next[owner]!];
    if (before !== 0) this.next[before - 1] = 0;
    if (after !== 0) {
      this.previous[after - 1] = 0;
      this.shared[after - 1] = 0;
    }
    this.shared[owner] = 0;
    this.previous[owner] = 0;
    this.next[owner] = 0;
    return after - 1;
  }
}
