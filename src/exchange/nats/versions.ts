/** Versions of the weights in a run's store. A version is a list of digests; only weights that changed travel. */
import type { WeightPort } from '../exchange.js';
import { digestOf } from '../packet.js';
import { ClusterError } from './errors.js';
import { fromBytes, toBytes, VERSION_LIST } from './messages.js';
import { versionSubject, weightSubject } from './names.js';
import { type Store, together } from './store.js';

/** A leader's side. */
export class VersionWriter {
  readonly #run: string;
  readonly #store: Store;
  readonly #port: WeightPort;
  /** Digest and place by name, as they were last published. */
  #published = new Map<string, readonly [digest: string, place: string]>();
  #versions: { list: string; places: Set<string> }[] = [];
  bytes = 0;

  constructor(run: string, store: Store, port: WeightPort) {
    this.#run = run;
    this.#store = store;
    this.#port = port;
  }

  /** Publishes the weights as they are at the beginning of a step; returns the digest of their list. */
  async publish(step: number): Promise<string> {
    const published = new Map<string, readonly [string, string]>();
    const names = this.#port.names();
    await together(names.length, async (i) => {
      const bytes = await this.#port.read(names[i]);
      const digest = await digestOf(bytes);
      const before = this.#published.get(names[i]);
      const place = before?.[0] === digest ? before[1] : `${step}.${digest}`;
      published.set(names[i], [digest, place]);
      if (before?.[1] === place) return;
      this.bytes += bytes.length;
      await this.#store.put(weightSubject(this.#run, place), bytes);
    });
    this.#published = published;
    const list = names.map((name) => [name, ...(published.get(name) as readonly [string, string])]);
    const bytes = toBytes(list);
    const digest = await digestOf(bytes);
    await this.#store.put(versionSubject(this.#run, digest), bytes);
    await this.#forget(digest, new Set([...published.values()].map(([, place]) => place.split('.')[0])));
    return digest;
  }

  /** Deletes what neither this version nor the one before has: a worker may be busy with that. */
  async #forget(list: string, places: Set<string>): Promise<void> {
    if (this.#versions.at(-1)?.list === list) return;
    this.#versions.push({ list, places });
    if (this.#versions.length <= 2) return;
    const [old] = this.#versions.splice(0, 1);
    const used = new Set(this.#versions.flatMap((version) => [...version.places]));
    for (const place of old.places) {
      if (!used.has(place)) await this.#store.purge(weightSubject(this.#run, `${place}.>`));
    }
    if (this.#versions.every((version) => version.list !== old.list)) {
      await this.#store.purge(versionSubject(this.#run, old.list));
    }
  }
}

/** A worker's side. */
export class VersionReader {
  readonly #run: string;
  readonly #store: Store;
  readonly #port: WeightPort;
  readonly #own = new Map<string, string>();
  #current: string | null = null;
  bytes = 0;

  constructor(run: string, store: Store, port: WeightPort) {
    this.#run = run;
    this.#store = store;
    this.#port = port;
  }

  /** Makes the weights those of a version; false if the server does not have it any more. */
  async become(version: string): Promise<boolean> {
    if (version === this.#current) return true;
    const stored = await this.#store.get(versionSubject(this.#run, version));
    const list = stored && fromBytes(VERSION_LIST, stored.bytes);
    if (!list) return false;
    const names = this.#port.names();
    if (list.map(([name]) => name).join('\n') !== names.join('\n')) {
      throw new ClusterError(
        'failed',
        'the weights that train here have other names than those of the leader',
      );
    }
    // Half of a version is none.
    this.#current = null;
    let complete = true;
    await together(list.length, async (i) => {
      const [name, digest, place] = list[i];
      if (!this.#own.has(name)) this.#own.set(name, await digestOf(await this.#port.read(name)));
      if (this.#own.get(name) === digest) return;
      const weight = await this.#store.get(weightSubject(this.#run, place));
      if (!weight) {
        complete = false;
        return;
      }
      this.bytes += weight.bytes.length;
      this.#port.write(name, weight.bytes);
      this.#own.set(name, digest);
    });
    if (complete) this.#current = version;
    return complete;
  }
}
