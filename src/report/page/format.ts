/** Numbers as people read them. */

const MINUS = '−';

/** A number with about four significant digits, tiny and huge ones as powers of ten. */
export function short(value: number | undefined | null): string {
  if (value === undefined || value === null) return '–';
  if (Number.isNaN(value)) return 'NaN';
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return value > 0 ? '∞' : `${MINUS}∞`;
  let text: string;
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) text = value.toExponential(2).replace('e+', 'e');
  else if (Number.isInteger(value)) text = value.toLocaleString('en');
  else text = String(Number(value.toPrecision(size < 1 ? 3 : 4)));
  return text.replaceAll('-', MINUS);
}

/** A share as a percentage. */
export function percent(share: number | undefined, digits = 1): string {
  return share === undefined || Number.isNaN(share) ? '–' : `${(100 * share).toFixed(digits)}%`;
}

/** A difference with its sign. */
export function signed(value: number, digits = 1): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return `±${text}`;
  return `${value > 0 ? '+' : MINUS}${text}`;
}

/** Seconds as `4 s`, `3 min 20 s` or `2 h 05 min`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? short(Number(seconds.toFixed(1))) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.round(seconds % 60)).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** A count and its noun. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}
