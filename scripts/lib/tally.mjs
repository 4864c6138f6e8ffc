/** What the runs of one `npm test` came to: read from what `tally-reporter.mjs` wrote, and told in closing lines. */

/** Tests that take longer are named. */
const SLOW_MS = 10_000;

/**
 * The results of one run, from the text of its file.
 *
 * @param ending - how the run's process ended: its exit status, or the signal that ended it
 * @returns `finished` is false where it ended before its end
 */
export function readRun(text, { status, signal }) {
  const entries = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const results = entries.filter(({ state }) => state);
  const finished = entries.some(({ ended }) => ended);
  const how = signal ? `ended by ${signal}` : `exit status ${status}`;
  if (!finished) {
    const done = new Set(results.map(({ name }) => name));
    const last = entries.findLast(({ name, began }) => began && !done.has(name));
    results.push({ name: last?.name ?? 'the run', state: 'failed', ms: 0, note: `no result, ${how}` });
  } else if (status !== 0 && !results.some(({ state }) => state === 'failed')) {
    results.push({ name: 'the run', state: 'failed', ms: 0, note: how });
  }
  return { results, finished };
}

/** Adds runs up. A test that one run skips and another runs is not skipped. */
export function addUp(runs) {
  const results = runs.flatMap((run) => run.results);
  const ran = new Set(results.filter(({ state }) => state !== 'skipped').map(({ name }) => name));
  const skipped = results.filter(({ name, state }) => state === 'skipped' && !ran.has(name));
  return {
    passed: results.filter(({ state }) => state === 'passed').length,
    failed: results.filter(({ state }) => state === 'failed'),
    skipped: [...new Map(skipped.map((result) => [result.name, result])).values()],
    slow: results.filter(({ ms }) => ms > SLOW_MS).sort((a, b) => b.ms - a.ms),
  };
}

/** The closing lines: what was slow, skipped and failed by name, and last the three numbers. */
export function closingLines({ passed, failed, skipped, slow }) {
  const why = (note) => (note ? `: ${note.split('\n')[0]}` : '');
  return [
    ...slow.map(({ name, ms }) => `${(ms / 1000).toFixed(1)} s: ${name}`),
    ...skipped.map(({ name, note }) => `skipped: ${name}${why(note)}`),
    ...failed.map(({ name, note }) => `failed: ${name}${why(note)}`),
    `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`,
  ];
}
