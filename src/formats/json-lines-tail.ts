/** Reads a JSONL file that another process is still writing. */
import { FileError } from '../platform/errors.js';
import { type OpenFile, openFile } from '../platform/files.js';

/** What one look at the file gave. */
export interface TailRead {
  /** The values of the lines that are new and complete, in order. */
  readonly values: unknown[];
  /** The file was replaced or became shorter: what was read before no longer counts, `values` begins anew. */
  readonly restarted: boolean;
}

/** Bytes before the place read up to that are compared, to notice a file that was rewritten. */
const SEAM_BYTES = 64;
const CHUNK_BYTES = 1 << 20;
/** A longer line is no record: it is counted as bad, and not held. */
const MOST_LINE_BYTES = 1 << 26;
const NEWLINE = 0x0a;

/**
 * Follows a JSONL file: each read gives the lines completed since the one before. A line counts from its line break on,
 * so that one which is being written is never read by half; lines that are not JSON are counted and skipped.
 */
export class JsonLinesTail {
  readonly file: string;
  /** Lines so far that were not JSON. */
  bad = 0;
  #position = 0;
  /** An unfinished line, in the pieces that it was read in; `#restBytes` of it, also those that are not held. */
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  /** The last bytes that were read. */
  #seam = new Uint8Array();

  constructor(file: string) {
    this.file = file;
  }

  /** Bytes of an unfinished last line. */
  get pending(): number {
    return this.#restBytes;
  }

  /**
   * Reads what is new; nothing while the file does not exist.
   *
   * @param finished the writer is done: a last line without a line break counts as well.
   */
  async read(finished = false): Promise<TailRead> {
    let opened: OpenFile;
    try {
      opened = await openFile(this.file);
    } catch (error) {
      if (!(error instanceof FileError && error.missing)) throw error;
      const restarted = this.#position > 0;
      this.#reset();
      return { values: [], restarted };
    }
    try {
      const restarted = !(await this.#continues(opened));
      if (restarted) this.#reset();
      const values: unknown[] = [];
      await this.#readTo(opened, values);
      if (finished && this.#restBytes > 0) this.#endLine(values);
      return { values, restarted };
    } finally {
      await opened.close();
    }
  }

  /** Whether the file begins with what was read; a resumed run may have cut it and written other lines since. */
  async #continues(opened: OpenFile): Promise<boolean> {
    if (opened.byteLength < this.#position) return false;
    const seam = new Uint8Array(this.#seam.length);
    await opened.read(seam, this.#position - seam.length);
    return seam.every((byte, i) => byte === this.#seam[i]);
  }

  #reset(): void {
    this.#position = 0;
    this.#rest = [];
    this.#restBytes = 0;
    this.#seam = new Uint8Array();
    this.bad = 0;
  }

  async #readTo(opened: OpenFile, values: unknown[]): Promise<void> {
    const size = opened.byteLength;
    const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(0, size - this.#position)));
    while (this.#position < size) {
      const wanted = Math.min(buffer.length, size - this.#position);
      const bytes = buffer.subarray(0, await opened.read(buffer.subarray(0, wanted), this.#position));
      if (bytes.length === 0) return;
      this.#seam = joined(this.#seam, bytes).slice(-SEAM_BYTES);
      this.#position += bytes.length;
      this.#take(bytes, values);
    }
  }

  #take(bytes: Uint8Array, values: unknown[]): void {
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      this.#hold(bytes.subarray(from, end));
      this.#endLine(values);
      from = end + 1;
    }
    // A copy: the buffer that lines are read into is used again.
    this.#hold(bytes.slice(from));
  }

  #hold(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#restBytes += piece.length;
    if (this.#restBytes > MOST_LINE_BYTES) this.#rest = [];
    else this.#rest.push(piece);
  }

  #endLine(values: unknown[]): void {
    if (this.#restBytes > MOST_LINE_BYTES) this.bad++;
    else this.#parse(joined(...this.#rest), values);
    this.#rest = [];
    this.#restBytes = 0;
  }

  #parse(line: Uint8Array, values: unknown[]): void {
    const text = new TextDecoder().decode(line).trim();
    if (text === '') return;
    try {
      values.push(JSON.parse(text));
    } catch {
      this.bad++;
    }
  }
}

function joined(...pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(pieces.reduce((bytes, piece) => bytes + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
