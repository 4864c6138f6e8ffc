/** Pictures that are not read yet: what stands in messages until a model wants their pixels. */
import { readWholeFile } from '../platform/files.js';

/** A picture, wherever it comes from. */
export interface Picture {
  /** What error messages call it: its path, or a name for bytes that came otherwise. */
  readonly name: string;
  /** The same for the same picture, where that is known without reading it: its path. */
  readonly key?: string;
  /** Bytes of the image file. */
  read(): Promise<Uint8Array>;
}

/** A picture in a file. */
export function filePicture(path: string): Picture {
  return { name: path, key: path, read: () => readWholeFile(path) };
}

/** A picture whose file's bytes are here already. */
export function bytesPicture(name: string, bytes: Uint8Array): Picture {
  return { name, read: async () => bytes };
}
