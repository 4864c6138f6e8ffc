/**
 * Answers of endpoints on disk, by the content of the request: what was asked once is never asked again, so that a run that
 * is repeated finds the same answers, and needs no endpoint.
 */
import { atomicWrite, join, makeFolder, readIfThere } from '../platform/files.js';

/** Longest answer that is read back. */
const MOST_BYTES = 16 * 2 ** 20;

/** See above. Requests that are equal and under way at the same time are sent once. */
export class AnswerCache<T> {
  readonly #folder: string | undefined;
  readonly #asked = new Map<string, Promise<T>>();
  /** Answers that were found, and that had to be asked for. */
  found = 0;
  asked = 0;

  /** @param folder where answers are kept; without one, they are kept for this process. */
  constructor(folder?: string) {
    this.#folder = folder;
  }

  /** The answer to a request, kept or new; a failure is not kept. `check` refuses what is no such answer. */
  get(request: unknown, check: (value: unknown) => value is T, ask: () => Promise<T>): Promise<T> {
    const text = JSON.stringify(request);
    const known = this.#asked.get(text);
    if (known) return known;
    const answer = this.#answer(text, check, ask);
    this.#asked.set(text, answer);
    // On disk it is found again; in memory alone it must stay.
    const forget = () => void this.#asked.delete(text);
    answer.then(this.#folder === undefined ? () => {} : forget, forget);
    return answer;
  }

  async #answer(text: string, check: (value: unknown) => value is T, ask: () => Promise<T>): Promise<T> {
    const place = this.#folder === undefined ? undefined : await placeOf(this.#folder, text);
    if (place) {
      const kept = readEntry(await readIfThere(place.file, MOST_BYTES), text);
      if (kept !== undefined && check(kept)) {
        this.found++;
        return kept;
      }
    }
    const answer = await ask();
    this.asked++;
    if (place) {
      await makeFolder(place.folder);
      await atomicWrite(place.file, `${JSON.stringify({ request: JSON.parse(text), answer }, null, 1)}\n`);
    }
    return answer;
  }
}

/** What an entry holds, where it is that of the request. */
function readEntry(bytes: Uint8Array | undefined, text: string): unknown {
  if (bytes === undefined) return undefined;
  try {
    const { request, answer } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    return JSON.stringify(request) === text ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** Where the answer to a request is kept: under the digest of its text. */
async function placeOf(folder: string, text: string): Promise<{ folder: string; file: string }> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  const name = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const inner = join(folder, name.slice(0, 2));
  return { folder: inner, file: join(inner, `${name}.json`) };
}
