/** Limits on tokens that users set. */
import { TextError } from '../../text/index.js';

/** A limit, and what happens to what is longer. */
export interface LengthLimit {
  /** The field of the config. */
  readonly field: string;
  /** Null for no limit. */
  readonly tokens: number | null;
  /** Whether to refuse what is longer rather than tell. */
  readonly refuse: boolean;
  /** What helps where it is refused. */
  readonly fix: string;
}

/** Whether something is longer than a limit. */
export function isTooLong(tokens: number, limit: LengthLimit, name: string): boolean {
  if (limit.tokens === null || tokens <= limit.tokens) return false;
  if (limit.refuse) throw lengthError(tokens, limit, name);
  return true;
}

/** The refusal of something that is too long. */
export function lengthError(
  tokens: number,
  { field, tokens: most, fix }: LengthLimit,
  name: string,
): TextError {
  return new TextError(name, `has ${tokens} tokens, more than ${field} ${most}; ${fix}`);
}
