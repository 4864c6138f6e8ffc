/** Checks, as part of `npm run lint`, that what the documents link to in this repository is there. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { root } from './lib/checkout.mjs';

const { stdout } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
});
let dead = 0;
for (const file of stdout.split('\n').filter(Boolean)) {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  for (const [i, line] of text.split('\n').entries()) {
    for (const [, target] of line.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|mailto:|#)/.test(target)) continue;
      if (fs.existsSync(path.join(root, path.dirname(file), target.split('#')[0]))) continue;
      console.error(`${file}:${i + 1}: links to ${target}, which is not there`);
      dead++;
    }
  }
}
process.exitCode = dead === 0 ? 0 : 1;
