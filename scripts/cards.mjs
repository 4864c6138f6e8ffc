/**
 * Checks the files of bench/results/cards/, which the page "This GPU" makes and people send, and draws README's table of them.
 * `--check` writes nothing and fails where the table is not that of the files.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import { cardProblem, cardTable } from './lib/cards.mjs';
import { root } from './lib/checkout.mjs';

const folder = path.join(root, 'bench', 'results', 'cards');
const readme = path.join(root, 'README.md');
const BLOCK = /(<!-- cards: node scripts\/cards\.mjs -->\n)[\s\S]*?(<!-- end of cards -->)/;

const cards = [];
for (const file of fs.existsSync(folder) ? fs.readdirSync(folder).sort() : []) {
  const problem = cardProblem(fs.readFileSync(path.join(folder, file), 'utf8'));
  if (problem) {
    console.error(`bench/results/cards/${file} ${problem}`);
    process.exitCode = 1;
  } else {
    cards.push({ file, report: JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8')) });
  }
}
if (!process.exitCode) {
  const before = fs.readFileSync(readme, 'utf8');
  if (!BLOCK.test(before)) throw new Error('README.md has no place for the table of cards');
  const after = before.replace(BLOCK, (_, start, end) => `${start}${cardTable(cards)}${end}`);
  if (after !== before && process.argv.includes('--check')) {
    console.error(
      'README.md: the table of cards is not that of bench/results/cards; run node scripts/cards.mjs',
    );
    process.exitCode = 1;
  } else if (after !== before) {
    fs.writeFileSync(readme, after);
  }
}
