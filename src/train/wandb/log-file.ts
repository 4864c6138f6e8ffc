/**
 * The file that Weights & Biases keeps of a run: a header, then records in LevelDB's log format, with the checksum of zip.
 * Blocks have 32 KiB; a record that does not fit the rest of its block goes on in the next.
 */
import { type AppendFile, appendTo } from '../../platform/files.js';
import { crc32Ieee } from '../checksums.js';

const BLOCK = 32768;
const RECORD_HEADER = 7;
/** `:W&B`, a magic number, version 0. */
const FILE_HEADER = Uint8Array.of(0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0);

const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;

/** A new log file, open for writing. */
export class WandbLog {
  readonly #file: AppendFile;
  #size = FILE_HEADER.length;

  private constructor(file: AppendFile) {
    this.#file = file;
  }

  /** Makes the file. */
  static async create(path: string): Promise<WandbLog> {
    const file = await appendTo(path);
    await file.append(FILE_HEADER);
    return new WandbLog(file);
  }

  /** Appends a record. */
  async write(data: Uint8Array): Promise<void> {
    const pieces: Uint8Array[] = [];
    let at = this.#size;
    for (let done = 0, first = true; first || done < data.length; first = false) {
      let room = BLOCK - (at % BLOCK);
      if (room < RECORD_HEADER) {
        pieces.push(new Uint8Array(room));
        at += room;
        room = BLOCK;
      }
      const part = data.subarray(done, done + room - RECORD_HEADER);
      done += part.length;
      const ends = done === data.length;
      const type = first ? (ends ? FULL : FIRST) : ends ? LAST : MIDDLE;
      pieces.push(piece(type, part));
      at += RECORD_HEADER + part.length;
    }
    await this.#file.append(joined(pieces));
    this.#size = at;
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Checksum of type and data, length, type, data. */
function piece(type: number, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(RECORD_HEADER + data.length);
  const view = new DataView(out.buffer);
  out[6] = type;
  out.set(data, RECORD_HEADER);
  view.setUint32(0, crc32Ieee(out.subarray(6)), true);
  view.setUint16(4, data.length, true);
  return out;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of pieces) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
