/** One safetensors file: its header in memory, its data read by byte range. */
import { type OpenFile, openFile, readExactly } from '../platform/files.js';
import { type Header, headerLength, LENGTH_BYTES, parseHeader } from './header.js';

/** An open file whose header has been checked. */
export class SafetensorsFile {
  /** Path as given. */
  readonly path: string;
  /** Size of the whole file. */
  readonly bytes: number;
  readonly header: Header;
  readonly #opened: OpenFile;

  private constructor(path: string, bytes: number, header: Header, opened: OpenFile) {
    this.path = path;
    this.bytes = bytes;
    this.header = header;
    this.#opened = opened;
  }

  /** Opens a file and checks its header against its size. */
  static async open(path: string): Promise<SafetensorsFile> {
    const opened = await openFile(path);
    try {
      const bytes = opened.byteLength;
      const prefix = new Uint8Array(Math.min(LENGTH_BYTES, bytes));
      await readExactly(opened, path, prefix, 0);
      // No more than the file has, so no more than its sender paid for.
      const json = new Uint8Array(headerLength(prefix, path, bytes));
      await readExactly(opened, path, json, LENGTH_BYTES);
      return new SafetensorsFile(path, bytes, parseHeader(json, path, bytes), opened);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** Fills `target` from a byte position in the file. */
  async readAt(target: Uint8Array, position: number): Promise<void> {
    await readExactly(this.#opened, this.path, target, position);
  }

  /** Closes the file; later reads fail. */
  async close(): Promise<void> {
    await this.#opened.close();
  }
}
