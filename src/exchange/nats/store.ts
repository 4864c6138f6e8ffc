/**
 * Bytes in a stream, by subject. What is larger than a message lies in parts beside its subject. Whoever reads checks a
 * digest. Of a subject there is one message, and the first that was written stays.
 */
import { JetStreamApiError, type StoredMsg } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { digestOf } from '../packet.js';
import { ClusterError } from './errors.js';
import type { Hub } from './hub.js';

/** Largest part. Larger messages are no faster here, and whatever shares the connection waits for one. */
const PART = 2 ** 20;
/** Room for the headers of a message. */
const MARGIN = 4096;
/** Parts under way at a time. */
const TOGETHER = 8;

const DIGEST = 'Osler-Digest';
const PARTS = 'Osler-Parts';
/** "wrong last sequence": there is a message already. */
const TAKEN = 10071;

/** What is stored, with its labels. */
export interface Stored {
  readonly bytes: Uint8Array;
  readonly digest: string;
  label(name: string): string;
}

/** A stream as a store. */
export class Store {
  readonly #hub: Hub;
  readonly #stream: string;

  constructor(hub: Hub, stream: string) {
    this.#hub = hub;
    this.#stream = stream;
  }

  /**
   * Stores bytes; returns undefined, or where something is stored already, that thing's digest.
   *
   * @param labels short texts that lie beside the bytes
   */
  async put(
    subject: string,
    bytes: Uint8Array,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<string | undefined> {
    const digest = await digestOf(bytes);
    const size = Math.min(PART, this.#hub.largestMessage - MARGIN);
    const parts = bytes.length <= size ? 0 : Math.ceil(bytes.length / size);
    await together(parts, (i) =>
      this.#publish(partSubject(subject, digest, i), bytes.subarray(i * size, (i + 1) * size)),
    );
    const head = headers();
    for (const [name, value] of Object.entries(labels)) head.set(name, value);
    head.set(DIGEST, digest);
    head.set(PARTS, String(parts));
    try {
      await this.#publish(subject, parts > 0 ? new Uint8Array() : bytes, head);
      return undefined;
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== TAKEN) throw error;
      // Our own, where the answer to a first try was lost: it has our digest.
      return (await this.#message(subject))?.header.get(DIGEST) ?? undefined;
    }
  }

  /** What is stored, checked; undefined if there is nothing. */
  async get(subject: string): Promise<Stored | undefined> {
    const message = await this.#message(subject);
    if (!message) return undefined;
    const digest = message.header.get(DIGEST);
    const count = Number(message.header.get(PARTS));
    let bytes = plain(message.data);
    if (count > 0) {
      const parts: Uint8Array[] = [];
      await together(count, async (i) => {
        const part = await this.#message(partSubject(subject, digest, i));
        if (!part) throw new ClusterError('failed', `the server lost part ${i} of ${subject}`);
        parts[i] = part.data;
      });
      bytes = plain(Buffer.concat(parts));
    }
    if ((await digestOf(bytes)) !== digest) {
      throw new ClusterError('failed', `what the server has as ${subject} is not what was stored there`);
    }
    return { bytes, digest, label: (name) => message.header.get(name) };
  }

  /** The label of what is stored; undefined if nothing is. */
  async labelOf(subject: string, name: string): Promise<string | undefined> {
    return (await this.head(subject))?.label(name);
  }

  /** What is stored, without its bytes. */
  async head(subject: string): Promise<Omit<Stored, 'bytes'> | undefined> {
    const header = (await this.#message(subject))?.header;
    return header && { digest: header.get(DIGEST), label: (name) => header.get(name) };
  }

  /** Subjects that have something, of those that a pattern covers. */
  async subjects(pattern: string): Promise<string[]> {
    const info = await this.#hub.ask(() =>
      this.#hub.jsm.streams.info(this.#stream, { subjects_filter: pattern }),
    );
    return Object.keys(info.state.subjects ?? {});
  }

  /** Deletes what a pattern covers. */
  async purge(pattern: string): Promise<void> {
    await this.#hub.ask(() => this.#hub.jsm.streams.purge(this.#stream, { filter: pattern }));
  }

  #message(subject: string): Promise<StoredMsg | null> {
    return this.#hub.ask(() => this.#hub.jsm.direct.getMessage(this.#stream, { last_by_subj: subject }));
  }

  async #publish(subject: string, bytes: Uint8Array, head?: MsgHdrs): Promise<void> {
    await this.#hub.ask(() =>
      this.#hub.js.publish(subject, bytes, head ? { headers: head, expect: { lastSubjectSequence: 0 } } : {}),
    );
  }
}

/** A view that is no Buffer: the slices of one share its memory. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function partSubject(subject: string, digest: string, index: number): string {
  return `${subject}.part.${digest.slice(0, 16)}.${index}`;
}

/** Runs a body for 0 to count - 1, some at a time. */
export async function together(count: number, body: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await body(next++);
  };
  await Promise.all(Array.from({ length: Math.min(TOGETHER, count) }, lane));
}
