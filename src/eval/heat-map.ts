/** A generalization matrix as a picture: SVG that stands alone, and a page around it. */
import type { Matrix } from './matrix.js';

const CELL = { width: 92, height: 46 };
const MARGIN = { left: 190, top: 130, right: 20, bottom: 44 };
const TITLES = { modality: 'modality', question_type: 'question type' } as const;

/** The heat map of a matrix. The domain that a model was trained on is framed; the last column is the mean of the others. */
export function heatMapSvg(matrix: Matrix): string {
  const { rows, columns, values, base, generalization } = matrix;
  const lines: { name: string; values: readonly (number | null)[]; last: number | null }[] = rows.map(
    (name, i) => ({
      name,
      values: values[i] as readonly (number | null)[],
      last: generalization[i] as number | null,
    }),
  );
  if (base) lines.push({ name: 'untrained', values: base, last: null });
  const width = MARGIN.left + (columns.length + 1) * CELL.width + 12 + MARGIN.right;
  const height = MARGIN.top + lines.length * CELL.height + (base ? 8 : 0) + MARGIN.bottom;
  const parts: string[] = [];
  columns.forEach((name, k) => {
    parts.push(columnTitle(MARGIN.left + (k + 0.5) * CELL.width, name));
  });
  parts.push(columnTitle(MARGIN.left + (columns.length + 0.5) * CELL.width + 12, 'mean of the others'));
  lines.forEach((line, i) => {
    const y = MARGIN.top + i * CELL.height + (base && i === rows.length ? 8 : 0);
    parts.push(text(MARGIN.left - 10, y + CELL.height / 2, line.name, 'end'));
    line.values.forEach((value, k) => {
      const reference = base && i < rows.length ? base[k] : undefined;
      parts.push(cell(MARGIN.left + k * CELL.width, y, value, line.name === columns[k], reference ?? null));
    });
    if (i < rows.length)
      parts.push(cell(MARGIN.left + columns.length * CELL.width + 12, y, line.last, false, null));
  });
  const title = `${measureOf(matrix)} in percent by ${TITLES[matrix.domain]}: trained on (rows), tested on (columns)`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">`,
    '<style>text{font:13px system-ui,sans-serif;fill:#1b1f24;dominant-baseline:middle}.small{font-size:10px}.light text,text.light{fill:#fff}</style>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(width / 2, height - 18, title, 'middle'),
    ...parts,
    '</svg>',
  ].join('\n');
}

function measureOf({ reading }: Matrix): string {
  return reading === 'robust' || reading === 'paper' ? `${reading} accuracy` : reading;
}

/** A page with the heat map and its numbers, which opens offline. */
export function heatMapPage(matrix: Matrix): string {
  const title = `Generalization by ${TITLES[matrix.domain]}`;
  const summary = [
    ['in domain (diagonal)', matrix.in_domain],
    ['across domains (off the diagonal)', matrix.cross_domain],
  ] as const;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}figure{overflow-x:auto;margin:0}</style>
<h1>${title}</h1>
<p>${summary.map(([name, value]) => `Mean ${measureOf(matrix)} ${name}: <strong>${value === null ? 'none' : `${(100 * value).toFixed(1)}%`}</strong>.`).join(' ')}</p>
<figure>${heatMapSvg(matrix)}</figure>
</html>
`;
}

/** A matrix as a table of GitHub's Markdown. */
export function matrixMarkdown(matrix: Matrix): string {
  const show = (value: number | null) => (value === null ? '' : (100 * value).toFixed(1));
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['trained on', ...matrix.columns, 'mean of the others']),
    line(['---', ...matrix.columns.map(() => '---:'), '---:']),
    ...matrix.rows.map((name, i) =>
      line([name, ...(matrix.values[i] ?? []).map(show), show(matrix.generalization[i] ?? null)]),
    ),
    ...(matrix.base ? [line(['untrained', ...matrix.base.map(show), ''])] : []),
    '',
  ].join('\n');
}

function cell(x: number, y: number, value: number | null, own: boolean, base: number | null): string {
  const { width, height } = CELL;
  const box = `<rect x="${x + 1}" y="${y + 1}" width="${width - 2}" height="${height - 2}" rx="4"`;
  if (value === null) return `${box} fill="#eef0f2"/>`;
  const frame = own ? ' stroke="#b3261e" stroke-width="3"' : '';
  const tone = value > 0.55 ? ' class="light"' : '';
  const delta =
    base === null ? '' : `${value >= base ? '+' : '−'}${(100 * Math.abs(value - base)).toFixed(1)}`;
  return [
    `${box} fill="${colour(value)}"${frame}/>`,
    `<g${tone}>${text(x + width / 2, y + height / 2 - (delta ? 7 : 0), (100 * value).toFixed(1), 'middle')}`,
    delta
      ? `<text class="small" x="${x + width / 2}" y="${y + height / 2 + 11}" text-anchor="middle">${delta}</text>`
      : '',
    '</g>',
  ].join('');
}

/** From nearly white to dark blue, evenly to the eye; readable without colour vision. */
function colour(value: number): string {
  const stops = [
    [247, 251, 255],
    [198, 219, 239],
    [107, 174, 214],
    [33, 113, 181],
    [8, 48, 107],
  ] as const;
  const at = Math.min(0.9999, Math.max(0, value)) * (stops.length - 1);
  const [from, to] = [stops[Math.floor(at)], stops[Math.floor(at) + 1]] as const;
  const share = at % 1;
  const channel = (k: 0 | 1 | 2) => Math.round((from?.[k] ?? 0) * (1 - share) + (to?.[k] ?? 0) * share);
  return `rgb(${channel(0)},${channel(1)},${channel(2)})`;
}

function columnTitle(x: number, name: string): string {
  const y = MARGIN.top - 10;
  return `<text x="${x}" y="${y}" transform="rotate(-35 ${x} ${y})">${escapeXml(name)}</text>`;
}

function text(x: number, y: number, content: string, anchor: 'middle' | 'end'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

/** Names come from data files, which are untrusted. */
function escapeXml(content: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return content.replace(/[&<>"']/g, (char) => entities[char] as string);
}
