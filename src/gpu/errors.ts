/** What kind of thing went wrong; lets callers branch without parsing messages. */
export type ErrorCode =
  | 'adapter'
  | 'autograd'
  | 'device-lost'
  | 'disposed'
  | 'dtype'
  | 'kernel'
  | 'limit'
  | 'out-of-memory'
  | 'shape'
  | 'value';

/** Every error the engine throws on purpose: one sentence that names the op, the values and the fix. */
export class OslerError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'OslerError';
    this.code = code;
  }
}

/** Whether a driver's words are of memory that it did not have, as those of Vulkan, Direct3D and Metal are. */
export function tellsOfMemory(words: string): boolean {
  return /out[ _]?of[ _]?(device|host|pool)?[ _]?memory|insufficient memory|0x8007000e/i.test(words);
}

/** Throws an {@link OslerError} unless `condition` holds; the message is built only when needed. */
export function check(condition: unknown, code: ErrorCode, message: () => string): asserts condition {
  if (!condition) throw new OslerError(code, message());
}
