/** Options that are numbers: what they may be, told by the option's name before any work begins. */
import { UsageError } from './common.js';

/** The values that an option may have. */
export interface NumberRange {
  readonly whole?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** As `min` and `max`, but not the bound itself. */
  readonly above?: number;
  readonly below?: number;
}

/** How many of something there shall be. */
export const COUNT: NumberRange = { whole: true, min: 1 };
/** A number of things that may be none. */
export const COUNT_OR_NONE: NumberRange = { whole: true, min: 0 };
/** A part of a whole. */
export const SHARE: NumberRange = { min: 0, max: 1 };
/** A size, duration or temperature. */
export const NOT_NEGATIVE: NumberRange = { min: 0 };
/** Seeds of everything that is random. */
export const SEED: NumberRange = { whole: true, min: 0 };
/** A TCP port; 0 takes any that is free. */
export const PORT: NumberRange = { whole: true, min: 0, max: 65_535 };

/**
 * A check for yargs of options by name: `.check(numbers({ seed: SEED }), false)`. Options that are not given and have no
 * default pass.
 *
 * @throws UsageError naming the option, what it is, and what it may be.
 */
export function numbers(ranges: Readonly<Record<string, NumberRange>>) {
  return (args: Readonly<Record<string, unknown>>): true => {
    for (const [name, range] of Object.entries(ranges)) {
      // yargs makes a key of an option that stands there without a value.
      if (!Object.hasOwn(args, name)) continue;
      const value = args[name];
      if (Array.isArray(value))
        throw new UsageError(`--${name} is given ${value.length} times; give it once`);
      const problem = problemOf(value, range);
      if (problem) throw new UsageError(`--${name} ${problem}; give ${allowed(range)}`);
    }
    return true;
  };
}

function problemOf(value: unknown, range: NumberRange): string | undefined {
  if (value === undefined) return 'has no value';
  if (typeof value !== 'number' || Number.isNaN(value)) return 'is not a number';
  const { whole = false, min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = range;
  const kind = whole ? Number.isSafeInteger(value) : Number.isFinite(value);
  return kind && value >= min && value <= max && value > above && value < below ? undefined : `is ${value}`;
}

/** A range in words. */
function allowed({ whole, min, max, above, below }: NumberRange): string {
  const kind = whole ? 'a whole number' : 'a number';
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  const bounds = [
    ...(min === undefined ? [] : [`from ${min} up`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(max === undefined ? [] : [`up to ${max}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
  ];
  return [kind, bounds.join(' and ')].join(' ').trim();
}
