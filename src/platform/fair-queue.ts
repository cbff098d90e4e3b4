/**
 * Whose work comes next where several tenants wait for one lane: deficit round robin (M. Shreedhar, G. Varghese,
 * "Efficient Fair Queueing Using Deficit Round Robin", SIGCOMM 1995). Tenants take turns; in each turn one may use up
 * `quantum` of cost and keeps what it could not use for its next turn, so that all get the same share of the lane
 * whatever the size of their slices. A tenant that has nothing waiting any more keeps nothing.
 *
 * - Work comes in slices, of which one is taken at a time: nobody waits for more than a slice under way and a turn of
 *   each other tenant.
 * - Within a tenant requests are served in order of arrival; `passOn` lets them take turns too.
 * - Bounded by cost, and for each tenant by a share of it: one tenant fills its own share only. A request above the
 *   share is accepted where its tenant has nothing waiting, or it could never run.
 */
import { assert } from "../errors.ts";

export interface FairQueueOptions {
  /** Cost that a tenant may use up in one turn. */
  quantum: number;
  /** Cost waiting: once there is so much, a tenant may add only within its equal part. */
  most: number;
  /** Cost waiting of one tenant. */
  mostOfOne: number;
}

export interface Slice<T> {
  item: T;
  /** Above 0, in a unit of the lane's own. */
  cost: number;
}

/** The slices of one request that wait. */
export interface Waiting {
  /** Takes out of the queue what has not been taken yet. */
  leave(): void;
}

class Request<T> implements Waiting {
  readonly tenant: string;
  readonly slices: readonly Slice<T>[];
  readonly #leave: (request: Request<T>) => void;
  next = 0;

  constructor(tenant: string, slices: readonly Slice<T>[], leave: (request: Request<T>) => void) {
    this.tenant = tenant;
    this.slices = slices;
    this.#leave = leave;
  }

  leave(): void {
    this.#leave(this);
  }
}

interface Flow<T> {
  /** A set keeps the order of insertion: the first is the next. */
  readonly requests: Set<Request<T>>;
  cost: number;
  deficit: number;
  hasTurn: boolean;
}

export class FairQueue<T> {
  readonly #options: FairQueueOptions;
  /** Tenants that wait for something, whose turn it is first. */
  readonly #flows = new Map<string, Flow<T>>();
  #served: Request<T> | null = null;
  #slices = 0;
  #cost = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  /** Slices and their cost, of all tenants. */
  get waiting(): { slices: number; cost: number } {
    return { slices: this.#slices, cost: this.#cost };
  }

  /** Null where it does not fit. */
  add(tenant: string, slices: readonly Slice<T>[]): Waiting | null {
    assert(slices.length > 0 && slices.every(({ cost }) => cost > 0), "a slice without cost would never end a turn");
    const cost = costOf(slices);
    const known = this.#flows.get(tenant);
    if (known !== undefined && !this.#fits(known.cost + cost, cost)) return null;
    const flow: Flow<T> = known ?? { requests: new Set(), cost: 0, deficit: 0, hasTurn: false };
    const request = new Request(tenant, slices, (one) => this.#remove(one));
    flow.requests.add(request);
    flow.cost += cost;
    this.#flows.set(tenant, flow);
    this.#slices += slices.length;
    this.#cost += cost;
    return request;
  }

  /** The next slice; undefined where nothing waits, or where `fits` says no to the one that is next, which stays next. */
  take(fits: (item: T) => boolean = () => true): T | undefined {
    for (;;) {
      const [tenant, flow] = first(this.#flows) ?? [];
      if (tenant === undefined || flow === undefined) return undefined;
      if (!flow.hasTurn) {
        flow.hasTurn = true;
        flow.deficit += this.#options.quantum;
      }
      const request = first(flow.requests)?.[0];
      const slice = request?.slices[request.next];
      assert(request !== undefined && slice !== undefined, "a tenant waits for nothing");
      if (slice.cost > flow.deficit) {
        flow.hasTurn = false;
        toBack(this.#flows, tenant, flow);
        continue;
      }
      if (!fits(slice.item)) return undefined;
      flow.deficit -= slice.cost;
      request.next++;
      this.#served = request;
      this.#forget(flow, [slice]);
      if (request.next === request.slices.length) this.#drop(request, flow);
      return slice.item;
    }
  }

  /** The request that was served last goes behind the others of its tenant, if there is more of it. */
  passOn(): void {
    const request = this.#served;
    const requests = request === null ? undefined : this.#flows.get(request.tenant)?.requests;
    if (request !== null && requests?.delete(request) === true) requests.add(request);
  }

  /** Empties the queue. */
  clear(): T[] {
    const requests = [...this.#flows.values()].flatMap((flow) => [...flow.requests]);
    this.#flows.clear();
    this.#served = null;
    this.#slices = 0;
    this.#cost = 0;
    return requests.flatMap(({ slices, next }) => slices.slice(next).map(({ item }) => item));
  }

  #fits(ofTenant: number, added: number): boolean {
    const { most, mostOfOne } = this.#options;
    if (ofTenant > mostOfOne) return false;
    return this.#cost + added <= most || ofTenant <= most / this.#flows.size;
  }

  #remove(request: Request<T>): void {
    const flow = this.#flows.get(request.tenant);
    if (flow === undefined || !flow.requests.has(request)) return;
    this.#forget(flow, request.slices.slice(request.next));
    this.#drop(request, flow);
  }

  #forget(flow: Flow<T>, slices: readonly Slice<T>[]): void {
    const cost = costOf(slices);
    flow.cost -= cost;
    this.#cost -= cost;
    this.#slices -= slices.length;
  }

  #drop(request: Request<T>, flow: Flow<T>): void {
    flow.requests.delete(request);
    if (flow.requests.size === 0) this.#flows.delete(request.tenant);
  }
}

function costOf(slices: readonly Slice<unknown>[]): number {
  return slices.reduce((sum, { cost }) => sum + cost, 0);
}

function first<K, V>(entries: { entries(): MapIterator<[K, V]> | SetIterator<[K, V]> }): [K, V] | undefined {
  const next = entries.entries().next();
  return next.done === true ? undefined : next.value;
}

function toBack<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
}
