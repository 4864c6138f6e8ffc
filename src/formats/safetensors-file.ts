/** One safetensors file: its header in memory, its data read by byte range. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { fromSystemError, SafetensorsError } from '../platform/errors.js';
import { type Header, headerLength, LENGTH_BYTES, parseHeader } from './header.js';

/** Most bytes asked of one system call: Node refuses 2 GiB and more. */
const READ_LIMIT = 1 << 30;

/**
 * Opens a regular file and says how large it is. Anything else is refused first: opening a named pipe would wait for ever.
 */
export async function openRegular(file: string): Promise<{ handle: FileHandle; bytes: number }> {
  try {
    if (!(await stat(file)).isFile()) throw new SafetensorsError(file, 'is not a regular file');
    const handle = await open(file, 'r');
    try {
      return { handle, bytes: (await handle.stat()).size };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    throw fromSystemError(file, error);
  }
}

/** Fills `target` from byte `position`; a file that ends before is an error. */
export async function readExactly(
  handle: FileHandle,
  file: string,
  target: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const want = Math.min(READ_LIMIT, target.byteLength - done);
    let got: number;
    try {
      got = (await handle.read(target, done, want, position + done)).bytesRead;
    } catch (error) {
      throw fromSystemError(file, error);
    }
    if (got === 0) {
      throw new SafetensorsError(
        file,
        `ends at byte ${position + done}; it was truncated while it was being read`,
      );
    }
    done += got;
  }
}

/** An open file whose header has been checked. */
export class SafetensorsFile {
  /** Path as given. */
  readonly path: string;
  /** Size of the whole file. */
  readonly bytes: number;
  readonly header: Header;
  readonly #handle: FileHandle;

  private constructor(path: string, bytes: number, header: Header, handle: FileHandle) {
    this.path = path;
    this.bytes = bytes;
    this.header = header;
    this.#handle = handle;
  }

  /** Opens a file and checks its header against its size. */
  static async open(path: string): Promise<SafetensorsFile> {
    const { handle, bytes } = await openRegular(path);
    try {
      const prefix = new Uint8Array(Math.min(LENGTH_BYTES, bytes));
      await readExactly(handle, path, prefix, 0);
      // No more than the file has, so no more than its sender paid for.
      const json = new Uint8Array(headerLength(prefix, path, bytes));
      await readExactly(handle, path, json, LENGTH_BYTES);
      return new SafetensorsFile(path, bytes, parseHeader(json, path, bytes), handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Fills `target` from a byte position in the file. */
  async readAt(target: Uint8Array, position: number): Promise<void> {
    await readExactly(this.#handle, this.path, target, position);
  }

  /** Closes the file; later reads fail. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}
