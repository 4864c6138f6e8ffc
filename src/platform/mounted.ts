/**
 * Files that lie elsewhere and are read in pieces: behind a URL, or in a `Blob` that somebody chose. Readers of tensors ask
 * for many small pieces in order, so that each request fetches more than it was asked for.
 */
import { FileError } from './errors.js';
import type { OpenFile } from './ports/files.js';

/** Something that can be opened; what it was asked for first is kept for all who open it. */
export interface Mounted {
  /** Opens it; `path` is what messages call it. */
  open(path: string): Promise<OpenFile>;
}

/** Bytes that are fetched at a time, at least. */
const READ_AHEAD = 4 << 20;
/** Pieces that are kept: of several files that are read in turns, and of one that is read at two places. */
const KEPT = 2;

/** A piece of a file, which may still be on its way. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
}

/** An open file of a known size whose pieces come from `fetchPiece`. */
function pieces(
  byteLength: number,
  fetchPiece: (start: number, end: number) => Promise<Uint8Array>,
  first: Piece[] = [],
): OpenFile {
  const kept = [...first];
  const pieceAt = (start: number, end: number): Piece => {
    const found = kept.find((piece) => piece.start <= start && end <= piece.end);
    if (found) return found;
    // What is large is not kept: nobody reads a tensor twice.
    if (end - start >= READ_AHEAD) return { start, end, bytes: fetchPiece(start, end) };
    const until = Math.min(byteLength, start + READ_AHEAD);
    const piece: Piece = { start, end: until, bytes: fetchPiece(start, until) };
    // One that failed is asked for again; whoever waits for it is told.
    piece.bytes.catch(() => {
      if (kept.includes(piece)) kept.splice(kept.indexOf(piece), 1);
    });
    kept.push(piece);
    if (kept.length > KEPT) kept.shift();
    return piece;
  };
  return {
    byteLength,
    async read(target, position) {
      const end = Math.min(byteLength, position + target.byteLength);
      if (end <= position) return 0;
      const { start, bytes } = pieceAt(position, end);
      target.set((await bytes).subarray(position - start, end - start));
      return end - position;
    },
    async close() {
      kept.length = 0;
    },
  };
}

/** The content of a `Blob`, a chosen `File` among them. */
export function blobContent(blob: Blob): Mounted {
  const fetchPiece = async (start: number, end: number) =>
    new Uint8Array(await blob.slice(start, end).arrayBuffer());
  return { open: async () => pieces(blob.size, fetchPiece) };
}

/** What a server answered to a request for a part of a file. */
interface Answer {
  readonly bytes: Uint8Array;
  /** Size of the whole file. */
  readonly size: number;
  /** The server knows no ranges: these are all bytes. */
  readonly isWhole: boolean;
}

/** What a server has at an address. Where it does not give parts of files, the whole is fetched, once, and kept. */
export function urlContent(url: string): Mounted {
  let whole: Promise<Uint8Array> | undefined;
  const opened = (bytes: Uint8Array) =>
    pieces(bytes.length, async (start, end) => bytes.subarray(start, end));
  return {
    async open(path) {
      if (whole) return opened(await whole);
      const first = await request(path, url, 0, READ_AHEAD);
      if (first.isWhole) {
        whole = Promise.resolve(first.bytes);
        return opened(first.bytes);
      }
      const { size, bytes } = first;
      const fetchPiece = async (start: number, end: number) => {
        const next = await request(path, url, start, end);
        if (
          next.size !== size ||
          (next.isWhole ? next.bytes.length < end : next.bytes.length !== end - start)
        ) {
          throw new FileError(path, `changed while it was read from ${url}; mount it again`);
        }
        return next.isWhole ? next.bytes.subarray(start, end) : next.bytes;
      };
      return pieces(size, fetchPiece, [{ start: 0, end: bytes.length, bytes: Promise.resolve(bytes) }]);
    },
  };
}

async function request(path: string, url: string, start: number, end: number): Promise<Answer> {
  let response: Response;
  let bytes: Uint8Array;
  try {
    response = await fetch(url, { headers: { Range: `bytes=${start}-${end - 1}` } });
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    const why = (cause as Error).message;
    throw new FileError(
      path,
      `cannot be fetched from ${url} (${why}); is the server there, and does it allow this page?`,
      {
        cause,
      },
    );
  }
  const { status, headers } = response;
  if (status === 404) throw new FileError(path, `does not exist at ${url}`, { missing: true });
  // Nothing can be asked for of a file without bytes.
  if (status === 416 && start === 0) return { bytes: new Uint8Array(), size: 0, isWhole: true };
  if (status === 200) return { bytes, size: bytes.length, isWhole: true };
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get('content-range') ?? '');
  if (status !== 206) throw new FileError(path, `cannot be fetched: ${url} answers with status ${status}`);
  if (!range || Number(range[1]) !== start) {
    throw new FileError(
      path,
      `cannot be fetched: ${url} does not say which bytes it gives; a server on another site must expose Content-Range`,
    );
  }
  return { bytes, size: Number(range[3]), isWhole: false };
}
