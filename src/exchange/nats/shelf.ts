/** The shelf of a run: packets by digest, in the run's store. */
import type { Shelf } from '../exchange.js';
import { decodePacket, digestOf, encodePacket, type Packet } from '../packet.js';
import { ClusterError } from './errors.js';
import { shelfSubject } from './names.js';
import type { Store } from './store.js';

/** Things that were made of packets and may be wanted again: the pictures of some groups. */
const KEPT = 64;

/** See above. Puts for one step at a time. */
export class StoreShelf implements Shelf {
  readonly #run: string;
  readonly #store: Store;
  /** Names of what was put for this step or the one before; what is older has been deleted. */
  #names = new WeakMap<object, string>();
  readonly #made = new Map<string, object>();
  #step = 0;
  /** Bytes that came and went. */
  bytes = 0;

  constructor(run: string, store: Store) {
    this.#run = run;
    this.#store = store;
  }

  /** From now on puts for this step. */
  begin(step: number): void {
    if (step === this.#step) return;
    this.#step = step;
    this.#names = new WeakMap();
  }

  async put(key: object, pack: () => Packet): Promise<string> {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const bytes = encodePacket(pack());
    const name = `${this.#step}.${await digestOf(bytes)}`;
    this.bytes += bytes.length;
    await this.#store.put(shelfSubject(this.#run, name), bytes);
    this.#names.set(key, name);
    return name;
  }

  async take<T extends object>(name: string, unpack: (packet: Packet) => T): Promise<T> {
    const known = this.#made.get(name);
    if (known) return known as T;
    const made = unpack(await this.fetch(name));
    this.#made.set(name, made);
    if (this.#made.size > KEPT) this.#made.delete(this.#made.keys().next().value as string);
    return made;
  }

  async fetch(name: string): Promise<Packet> {
    const stored = await this.#store.get(shelfSubject(this.#run, name));
    if (!stored) throw new ClusterError('failed', `the server has no ${name} any more`);
    this.bytes += stored.bytes.length;
    return decodePacket(stored.bytes);
  }
}
