/** Numbers of things, for people. */

/** `1 step`, `2 steps`. */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** `1 record is left out`, `2 records are left out`. */
export function leftOut(n: number, noun: string): string {
  return `${counted(n, noun)} ${n === 1 ? 'is' : 'are'} left out`;
}
