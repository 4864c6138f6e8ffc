/**
 * `npm run notice`: writes NOTICE from what the package carries of others. With `--check`, only says whether it is true.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import { pagePackages } from './lib/bundle-page.mjs';
import { root } from './lib/checkout.mjs';
import { noticeText } from './lib/notices.mjs';

const HEAD = `Osler
Copyright 2026 The Osler authors

Licensed under the Apache License, Version 2.0: see LICENSE.

The page of Osler's reports (dist/report/page/page.js and page.css, and with it every report.html) carries code of the
packages below, under the terms below. What npm installs beside Osler comes with its own licences.

${'='.repeat(78)}

`;

const file = path.join(root, 'NOTICE');
const text = `${HEAD}${noticeText(await pagePackages())}\n`;
if (!process.argv.includes('--check')) {
  fs.writeFileSync(file, text);
} else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
  console.error(
    'NOTICE does not say what the page of reports carries now; run `npm run notice` and commit it',
  );
  process.exitCode = 1;
}
