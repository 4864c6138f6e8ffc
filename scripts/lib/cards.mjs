/** What the page "This GPU" finds out about a card (page/card-report.ts): whether a file is one, and the table of several. */

const FIELDS = {
  osler: 'string',
  date: 'string',
  browser: 'string',
  tier: 'string',
  complete: 'boolean',
  quick: 'boolean',
  adapter: 'object',
  limits: 'object',
  roofline: 'object',
  checks: 'object',
  kernels: 'object',
  steps: 'object',
  notes: 'object',
};
/** A card's file has some ten kB. */
const MOST_BYTES = 1 << 20;

/** What is wrong with the text of a file, as a predicate; undefined where nothing is. */
export function cardProblem(text) {
  if (text.length > MOST_BYTES) return `has ${text.length} bytes, more than any file of the page; is it one?`;
  let report;
  try {
    report = JSON.parse(text);
  } catch (error) {
    return `is no JSON (${error.message}); download it anew`;
  }
  if (report?.kind !== 'osler-card')
    return 'is no file of the page "This GPU"; open the page and download one';
  if (report.version !== 1)
    return `has the version ${report.version}, and 1 is known; make it anew with this checkout's page`;
  for (const [field, type] of Object.entries(FIELDS)) {
    const value = report[field];
    if (typeof value !== type || value === null) {
      return `has no ${field}; let the page run to its end, and download the file then`;
    }
  }
  for (const list of ['checks', 'kernels', 'steps', 'notes']) {
    if (!Array.isArray(report[list])) return `has ${list} that are no list; download it anew`;
  }
  if (!report.complete) return 'is of a run that did not end; let the page run to its end';
  for (const { family, passed, failed } of report.checks) {
    if (typeof family !== 'string' || !Number.isInteger(passed) || !Array.isArray(failed)) {
      return 'has checks without family, passed or failed; download it anew';
    }
  }
  for (const name of ['f32', 'bandwidth', 'dispatchMicroseconds']) {
    if (!(report.roofline[name] > 0))
      return `has a roofline whose ${name} is ${report.roofline[name]}; measure again`;
  }
  return undefined;
}

/** A table for README; a sentence where there are no cards. */
export function cardTable(cards) {
  if (cards.length === 0) return 'Nobody has sent a card yet.\n';
  const rows = cards.map(({ file, report }) => {
    const { adapter, browser, tier, checks, roofline, quick } = report;
    const passed = checks.reduce((sum, family) => sum + family.passed, 0);
    const failed = checks.reduce((sum, family) => sum + family.failed.length, 0);
    const name = [
      adapter.name === 'unknown adapter' ? '' : adapter.name,
      adapter.vendor,
      adapter.architecture,
    ];
    const cells = [
      `[${plain([...new Set(name.filter(Boolean))].join(' '))}](bench/results/cards/${file})${quick ? ', in software' : ''}`,
      plain(browserOf(browser)),
      plain(tier),
      failed === 0 ? `${passed} pass` : `${passed} pass, **${failed} fail**`,
      rate(roofline.f32),
      roofline.matrix ? rate(roofline.matrix) : '–',
      `${digits(roofline.bandwidth / 1e9)} GB/s`,
      `${digits(roofline.dispatchMicroseconds)} µs`,
      report.date.slice(0, 10),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| adapter | browser | tier | kernel tests | f32 | matrix units | memory | a launch | |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** Files come from strangers: nothing of them becomes markup. */
function plain(text) {
  return String(text)
    .replace(/[^\p{L}\p{N} .,()+-]/gu, '')
    .slice(0, 60);
}

function browserOf(agent) {
  const known = /(Firefox|Edg|Chrome|HeadlessChrome|Version)\/(\d+)/.exec(agent.replace(/.*(?=Edg\/)/, ''));
  return known
    ? `${{ Edg: 'Edge', Version: 'Safari', HeadlessChrome: 'Chrome' }[known[1]] ?? known[1]} ${known[2]}`
    : 'unknown';
}

function rate(flops) {
  return flops >= 1e12 ? `${digits(flops / 1e12)} TFLOP/s` : `${digits(flops / 1e9)} GFLOP/s`;
}

function digits(value) {
  return String(Number(value.toPrecision(3)));
}
