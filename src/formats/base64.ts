/** Base64 without Node's Buffer. */

/** Bytes that are encoded at a time: a multiple of three, and few enough to be the arguments of a call. */
const PIECE = 24_573;

/** Base64 of bytes. */
export function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += PIECE) {
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE))));
  }
  return pieces.join('');
}
